import os
import stat
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from load import ROOT, load

board = load("tools/board")


def line(*words):
    return board.command(board.parse(["run", *words]))


# (options, what stands in the command, what does not)
ROWS = (
    ((), ("-serial mon:stdio", "-nic user,model=lan9118,id=net0", "arg=fk"),
     ("-monitor", "-icount", "-pidfile", "arg=flash", "arg=seed", "arg=exit")),
    (("--console", "unix:/tmp/c"),
     ("socket,id=console,path=/tmp/c,server=on,wait=off -serial chardev:console", "-monitor none"),
     ("stdio",)),
    (("--console", "tcp:4000"), ("host=127.0.0.1,port=4000,server=on,wait=off",), ("stdio",)),
    (("--console", "tcp:4000", "--wait"), ("port=4000,server=on,wait=on",), ()),
    (("--monitor", "unix:/tmp/m"), ("-monitor unix:/tmp/m,server=on,wait=off", "-serial mon:stdio"), ()),
    (("--net", "none"), ("-nic none",), ("lan9118",)),
    (("--net", "tap:tap3", "--mac", "52:54:00:00:00:07"),
     ("-nic tap,ifname=tap3,script=no,downscript=no,model=lan9118,id=net0,mac=52:54:00:00:00:07",), ()),
    (("--icount", "0"), ("-icount shift=0,sleep=off",), ()),
    (("--pidfile", "/tmp/p"), ("-pidfile /tmp/p",), ()),
    (("--exit",), ("arg=fk,arg=exit=yes",), ()),
    (("--flash", "a,b", "--seed", "s"), ("arg=fk,arg=flash=a,,b,arg=seed=s",), ()),
    (("--elf", "x.elf"), ("-kernel x.elf",), ()),
)  # fmt: skip

REFUSED = (
    ("--console", "unix:"), ("--console", "tcp:x"), ("--console", "tcp:"), ("--console", "pty"),
    ("--monitor", "stdio"), ("--monitor", "unix:"), ("--net", "tap:"), ("--net", "bridge"),
    ("--flash", "a b"), ("--seed", "a\tb"), ("--seed", "x" * 248),
)  # fmt: skip


class Board(unittest.TestCase):
    def test_commands(self):
        for words, there, absent in ROWS:
            with self.subTest(words=words):
                text = " ".join(line(*words))
                for part in there:
                    self.assertIn(part, text)
                for part in absent:
                    self.assertNotIn(part, text)

    def test_refusals(self):
        for words in REFUSED:
            with self.subTest(words=words), self.assertRaises(board.Refused):
                line(*words)

    def test_arguments_fit_the_board_to_the_byte(self):
        self.assertIn("x" * 247, " ".join(line("--seed", "x" * 247)))  # "fk seed=" are 8 of 255

    def test_files_are_made_once_and_private(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "flash"
            board.create(path, b"\xff" * 8)
            self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
            board.create(path, b"\0")
            self.assertEqual(path.read_bytes(), b"\xff" * 8)

    def test_sizes_are_those_of_the_port(self):
        sources = {n: (ROOT / "ports" / "qemu" / n).read_text() for n in ("nor.h", "seed.c", "semihosting.h")}
        self.assertIn("#define NOR_SECTOR 4096", sources["nor.h"])
        self.assertIn("#define NOR_SECTORS 8", sources["nor.h"])
        self.assertIn(f"#define SEED_LEN {board.SEED_SIZE}", sources["seed.c"])
        self.assertIn(f"#define MACHINE_ARGUMENTS_MAX {board.ARGUMENTS_MAX + 1}", sources["semihosting.h"])

    def test_print_makes_nothing(self):
        with tempfile.TemporaryDirectory() as folder:
            run = subprocess.run(
                [sys.executable, ROOT / "tools" / "board", "run", "--print", "--seed", "s", "--flash", "f"],
                cwd=folder, text=True, capture_output=True, check=True)  # fmt: skip
            self.assertTrue(run.stdout.startswith("qemu-system-arm -M mps2-an385"))
            self.assertEqual(os.listdir(folder), [])


if __name__ == "__main__":
    unittest.main()
