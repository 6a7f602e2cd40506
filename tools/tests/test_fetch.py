import tempfile
import unittest
from pathlib import Path

from load import load

fetch = load("third_party/fetch")

DEB822 = """\
# A comment
Types: deb
URIs: http://mirror.test/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb deb-src
URIs: http://mirror.test/debian-security
Suites: bookworm-security
Components: main

Enabled: no
Types: deb
URIs: http://off.test/debian
Suites: bookworm
Components: main
"""
ONE_LINE = """\
# deb http://commented.test/debian bookworm main
deb [arch=amd64 signed-by=/k.gpg] http://mirror.test/debian bookworm main non-free # why
deb http://mirror.test/debian bookworm-updates main
deb http://tools.test/linux/debian bookworm stable
deb http://flat.test/debian ./
"""


def stanzas(files):
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files.items():
            path = Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return fetch.source_stanzas({"trixie"}, Path(folder))


class Sources(unittest.TestCase):
    def test_deb822(self):
        self.assertEqual(stanzas({"sources.list.d/debian.sources": DEB822}), [
            "Types: deb-src\nURIs: http://mirror.test/debian\nSuites: trixie\nComponents: main\n"
            "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n"
        ])  # fmt: skip

    def test_one_line(self):
        self.assertEqual(stanzas({"sources.list": ONE_LINE}), [
            "Types: deb-src\nURIs: http://mirror.test/debian\nSuites: trixie\nComponents: main\n"
            "Signed-By: /k.gpg\n"
        ])  # fmt: skip

    def test_a_key_of_many_lines_stays_whole(self):
        text = DEB822.replace("Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg",
                              "Signed-By:\n -----BEGIN\n .\n abc")  # fmt: skip
        (stanza,) = stanzas({"sources.list.d/debian.sources": text})
        self.assertTrue(stanza.endswith("Signed-By: \n -----BEGIN\n .\n abc\n"), stanza)

    def test_disabled_and_foreign_files_do_not_count(self):
        self.assertEqual(stanzas({"sources.list.d/x.sources.disabled": DEB822}), [])
        self.assertEqual(stanzas({}), [])


class Archive(unittest.TestCase):
    def test_a_wrong_checksum_is_thrown_away(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "x.tar"
            path.write_bytes(b"x")
            self.assertTrue(fetch.checked(path, fetch.sha256(path)))
            self.assertFalse(fetch.checked(path, "0" * 64))
            self.assertFalse(path.exists())

    def test_what_is_kept(self):
        self.assertTrue(fetch.wanted_member("lib/a.c", ["lib"]))
        self.assertTrue(fetch.wanted_member("pb.h", ["pb.h"]))
        self.assertFalse(fetch.wanted_member("library/a.c", ["lib"]))


if __name__ == "__main__":
    unittest.main()
