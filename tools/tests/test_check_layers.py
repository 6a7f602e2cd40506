import tempfile
import unittest
from pathlib import Path

from load import load

check_layers = load("tools/check-layers")

HEADERS = ("src/opts.h", "src/pipe.h", "src/port.h", "src/base/b.h", "src/wire/w.h", "src/api/a.h",
           "src/runtime/r.h", "src/kubelet/k.h", "src/link/l.h", "drivers/d.h", "boards/x.h",
           "ports/linux/p.h", "tests/support/s.h")  # fmt: skip

# (file, what it includes, whether it may)
ROWS = (
    ("src/base/f.c", '"base/b.h"', True),
    ("src/base/f.c", '"b.h"', True),
    ("src/base/f.c", '"opts.h"', True),
    ("src/base/f.c", '"wire/w.h"', False),
    ("src/base/f.c", '"../wire/w.h"', False),
    ("src/base/f.c", '"port.h"', False),
    ("src/wire/f.c", '"base/b.h"', True),
    ("src/wire/f.c", '"api/a.h"', False),
    ("src/api/f.c", '"base/b.h"', True),
    ("src/api/f.c", '"pipe.h"', True),
    ("src/api/f.c", '"link/l.h"', False),
    ("src/api/f.c", '"kubelet/k.h"', False),
    ("src/runtime/f.c", '"kubelet/k.h"', False),
    ("src/kubelet/f.c", '"base/b.h"', True),
    ("src/kubelet/f.c", '"runtime/r.h"', True),
    ("src/kubelet/f.c", '"port.h"', True),
    ("src/kubelet/f.c", '"link/l.h"', False),
    ("src/kubelet/f.c", '"linux/p.h"', False),
    ("src/link/f.c", '"port.h"', True),
    ("src/link/f.c", '"wire/w.h"', False),
    ("drivers/f.c", '"base/b.h"', True),
    ("drivers/f.c", '"boards/x.h"', False),
    ("ports/linux/f.c", '"kubelet/k.h"', True),
    ("ports/linux/f.c", '"link/l.h"', True),
    ("ports/linux/f.c", '"linux/p.h"', True),
    ("ports/linux/f.c", '"tests/support/s.h"', False),
    ("src/kubelet/f.c", '"kubelet/gone.h"', False),
    ("src/odd/f.c", "<stdint.h>", False),
    ("src/port.h", '"base/b.h"', True),
    ("src/port.h", '"api/a.h"', False),
    # the C library
    ("src/kubelet/f.c", "<string.h>", True),
    ("src/kubelet/f.c", "<stdio.h>", False),
    ("src/base/f.c", "<time.h>", False),
    ("src/link/f.c", "<sys/socket.h>", True),
    # third party
    ("src/link/tls.c", "<mbedtls/ssl.h>", True),
    ("src/link/tls.c", "<psa/crypto.h>", True),
    ("src/wire/csr.c", "<mbedtls/x509_csr.h>", False),
    ("ports/linux/f.c", '"mbedtls/ssl.h"', False),
    ("src/wire/h2_client.c", "<nghttp2/nghttp2.h>", True),
    ("src/wire/h2_client.h", "<nghttp2/nghttp2.h>", False),
    ("src/wire/h2_client.cc.c", "<nghttp2/nghttp2.h>", False),
    ("src/api/watch.c", "<nghttp2/nghttp2.h>", False),
    ("src/api/watch.c", "<pb_decode.h>", True),
    ("src/api/watch.c", '"api/proto/node.pb.h"', True),
    ("src/kubelet/f.c", '"api/proto/node.pb.h"', False),
    ("src/kubelet/f.c", "<pb.h>", False),
    ("src/link/tcp_lwip.c", "<lwip/tcp.h>", True),
    ("drivers/f.c", "<lwip/tcp.h>", False),
    ("ports/linux/f.c", "<yaml.h>", True),
    ("src/kubelet/f.c", "<yaml.h>", False),
    ("src/base/f.c", "<cmocka.h>", False),
)


class CheckLayers(unittest.TestCase):
    def test_rows(self):
        for file, include, good in ROWS:
            with self.subTest(file=file, include=include), tempfile.TemporaryDirectory() as folder:
                root = Path(folder).resolve()
                for header in HEADERS:
                    (root / header).parent.mkdir(parents=True, exist_ok=True)
                    (root / header).touch()
                (root / file).parent.mkdir(parents=True, exist_ok=True)
                (root / file).write_text(f"/* one */\n\n  #  include {include}\n")
                problems, _ = check_layers.check(root)
                self.assertEqual(problems == [], good, problems)
                if not good and "odd" not in file:
                    self.assertTrue(problems[0].startswith(f"{file}:3: includes"), problems)


if __name__ == "__main__":
    unittest.main()
