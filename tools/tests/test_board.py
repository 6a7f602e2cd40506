import os
import pty
import socket
import stat
import subprocess
import sys
import tempfile
import termios
import time
import unittest
from pathlib import Path

from load import ROOT, load

board = load("tools/board")


def line(*words):
    return board.command(board.parse(["run", *words]))


# (options, what stands in the command, what does not)
ROWS = (
    ((), ("-serial mon:stdio", "-nic user,model=lan9118,id=net0", "arg=fk"),
     ("-monitor", "-icount", "-pidfile", "arg=flash", "arg=seed", "arg=exit", "hostfwd")),
    (("--console", "unix:/tmp/c"),
     ("socket,id=console,path=/tmp/c,server=on,wait=off -serial chardev:console", "-monitor none"),
     ("stdio",)),
    (("--console", "tcp:4000"), ("host=127.0.0.1,port=4000,server=on,wait=off",), ("stdio",)),
    (("--console", "tcp:4000", "--wait"), ("port=4000,server=on,wait=on",), ()),
    (("--monitor", "unix:/tmp/m"), ("-monitor unix:/tmp/m,server=on,wait=off", "-serial mon:stdio"), ()),
    (("--net", "none"), ("-nic none",), ("lan9118",)),
    (("--net", "tap:tap3", "--mac", "52:54:00:00:00:07"),
     ("-nic tap,ifname=tap3,script=no,downscript=no,model=lan9118,id=net0,mac=52:54:00:00:00:07",), ()),
    (("--forward", "127.0.0.1:65535"),
     ("-nic user,hostfwd=tcp:127.0.0.1:65535-:10250,model=lan9118,id=net0",), ()),
    (("--icount", "0"), ("-icount shift=0,sleep=off",), ()),
    (("--pidfile", "/tmp/p"), ("-pidfile /tmp/p",), ()),
    (("--exit",), ("arg=fk,arg=exit=yes",), ()),
    (("--flash", "a,b", "--seed", "s"), ("arg=fk,arg=flash=a,,b,arg=seed=s",), ()),
    (("--elf", "x.elf"), ("-kernel x.elf",), ()),
)  # fmt: skip

REFUSED = (
    ("--console", "unix:"), ("--console", "tcp:x"), ("--console", "tcp:"), ("--console", "pty"),
    ("--monitor", "stdio"), ("--monitor", "unix:"), ("--net", "tap:"), ("--net", "bridge"),
    ("--forward", ""), ("--forward", "0.0.0.0:10250"), ("--forward", "127.0.0.1"), ("--forward", ":10250"),
    ("--forward", "127.0.0.1:0"), ("--forward", "127.0.0.1:65536"), ("--forward", "127.0.0.1:1-:22"),
    ("--net", "none", "--forward", "127.0.0.1:1"), ("--net", "tap:t", "--forward", "127.0.0.1:1"),
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
            board.create(path, b"\0" * 8)
            self.assertEqual(path.read_bytes(), b"\xff" * 8)

    def test_another_file_is_not_overwritten(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "letter"
            path.write_bytes(b"x" * 9)
            with self.assertRaises(board.Refused):
                board.create(path, b"\0" * 8)
            board.create(path, b"\0" * 9)
            board.create(folder, b"")
            self.assertEqual(path.read_bytes(), b"x" * 9)

    def test_sizes_are_those_of_the_port(self):
        sources = {n: (ROOT / "ports" / "qemu" / n).read_text() for n in ("nor.h", "seed.c", "semihosting.h")}
        self.assertIn("#define NOR_SECTOR 4096", sources["nor.h"])
        self.assertIn("#define NOR_SECTORS 10", sources["nor.h"])
        self.assertIn(f"#define SEED_LEN {board.SEED_SIZE}", sources["seed.c"])
        self.assertIn(f"#define MACHINE_ARGUMENTS_MAX {board.ARGUMENTS_MAX + 1}", sources["semihosting.h"])

    def test_print_makes_nothing(self):
        with tempfile.TemporaryDirectory() as folder:
            run = subprocess.run(
                [sys.executable, ROOT / "tools" / "board", "run", "--print", "--seed", "s", "--flash", "f"],
                cwd=folder, text=True, capture_output=True, check=True)  # fmt: skip
            self.assertTrue(run.stdout.startswith("qemu-system-arm -M mps2-an385"))
            self.assertEqual(os.listdir(folder), [])


class Console(unittest.TestCase):
    """tools/board console, at the other end of which the test is the board."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = folder.name + "/c"
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.addCleanup(self.listener.close)
        self.listener.bind(self.path)
        self.listener.listen()
        self.listener.settimeout(60)

    def start(self, stdin, where=None):
        self.run = subprocess.Popen(
            [sys.executable, "-B", ROOT / "tools/board", "console", where or f"unix:{self.path}"],
            stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # fmt: skip
        self.addCleanup(self.run.communicate)
        self.addCleanup(self.run.kill)

    def board(self):
        far, _ = self.listener.accept()
        self.addCleanup(far.close)
        far.settimeout(60)
        return far

    def read(self, far, end):
        data = b""
        while not data.endswith(end):
            piece = far.recv(4096)
            self.assertTrue(piece, data)
            data += piece
        return data

    def test_a_pipe_is_passed_on_whole_and_the_answer_comes_back(self):
        typed = bytes(range(256)) + b"end"
        self.start(subprocess.PIPE)
        self.run.stdin.write(typed)
        self.run.stdin.close()
        self.run.stdin = None
        far = self.board()
        self.assertEqual(self.read(far, b"end"), b"\x15" + typed)
        far.sendall(b"ok\r\n")
        self.assertEqual(self.run.communicate(timeout=60), (b"ok\r\n", b""))
        self.assertEqual(self.run.returncode, 0)

    def test_somebody_else_talks_to_it(self):
        self.start(subprocess.PIPE)
        self.assertIn(b"somebody else", self.run.stderr.readline())
        self.run.stdin.write(b"help")
        self.run.stdin.close()
        self.run.stdin = None
        self.assertEqual(self.read(self.board(), b"help"), b"\x15help")
        out, err = self.run.communicate(timeout=60)
        self.assertEqual((self.run.returncode, out, b"no answer from the board" in err), (1, b"", True))

    def test_a_board_that_hangs_up(self):
        self.start(subprocess.PIPE)
        self.board().close()
        _, err = self.run.communicate(timeout=60)
        self.assertEqual((self.run.returncode, b"ended the connection" in err), (1, True), err)

    def test_a_terminal_is_the_boards_until_it_leaves(self):
        ours, theirs = pty.openpty()
        self.addCleanup(os.close, ours)
        self.addCleanup(os.close, theirs)
        before = termios.tcgetattr(theirs)
        self.start(theirs)
        far = self.board()
        self.assertEqual(self.read(far, b"\x15"), b"\x15")
        end = time.monotonic() + 60
        while termios.tcgetattr(theirs)[3] & termios.ISIG and time.monotonic() < end:
            time.sleep(0.01)
        os.write(ours, b"help\x03\r")  # Ctrl-C is the board's, too
        self.assertEqual(self.read(far, b"\r"), b"help\x03\r")
        os.write(ours, b"\x1d")
        self.assertEqual(self.run.wait(60), 0)
        self.assertEqual(far.recv(1), b"")
        self.assertEqual(termios.tcgetattr(theirs), before)

    def test_nobody_there(self):
        for where in ("unix:/nonexistent/c", "unix:", "tcp:x", "tcp:1", "tcp:65536", "stdio"):
            with self.subTest(where=where):
                self.start(subprocess.DEVNULL, where)
                out, err = self.run.communicate(timeout=60)
                self.assertEqual((self.run.returncode, out), (1, b""))
                self.assertTrue(err.startswith(b"board: ") and where.encode() in err, err)


if __name__ == "__main__":
    unittest.main()
