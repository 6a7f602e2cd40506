"""tools/provision: what it makes of a kubeconfig, and what it types at the real console.

The real one is tests/tools/console_tty.c, which FK_CONSOLE_TTY names (ctest sets it); without it
those tests are left out.
"""

import base64
import contextlib
import io
import json
import os
import pty
import select
import socket
import subprocess
import sys
import tempfile
import threading
import tty
import unittest
from pathlib import Path
from unittest import mock

from load import ROOT, load

provision = load("tools/provision")
CONSOLE = os.environ.get("FK_CONSOLE_TTY")


def der(size, inside=b""):
    """A SEQUENCE of so many bytes, 260 at least."""
    body = inside + bytes((at * 37 + size) % 251 for at in range(size - 4 - len(inside)))
    return b"\x30\x82" + len(body).to_bytes(2, "big") + body


def pem(label, data, width=64):
    text = base64.b64encode(data).decode()
    lines = [text[at : at + width] for at in range(0, len(text), width)]
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""])


SUBJECT = b"system:node:board-1"
CA = der(400), der(500)
CERT = der(600, b"\x0c" + bytes([len(SUBJECT)]) + SUBJECT)
P256 = b"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"
KEY = der(300, P256)
KEY_PEM = pem("PARAMETERS", b"\x06\x01\x2a").replace("PARA", "EC PARA") + pem("EC PRIVATE KEY", KEY)


def data(text):
    return base64.b64encode(text.encode()).decode()


def kubeconfig(cluster=(), user=(), **top):
    """One that is right, but for the changes; a value of None takes a member away."""
    clusters = {"server": "https://10.1.2.3:6443",
                "certificate-authority-data": data("# two\n" + "".join(pem("CERTIFICATE", c) for c in CA)),
                **dict(cluster)}  # fmt: skip
    users = {"client-certificate-data": data(pem("CERTIFICATE", CERT)),
             "client-key-data": data(KEY_PEM), **dict(user)}  # fmt: skip
    return {"current-context": "there", "contexts": [
                {"name": "elsewhere", "context": {"cluster": "none", "user": "me"}},
                {"name": "there", "context": {"cluster": "it", "user": "me"}}],
            "clusters": [{"name": "it", "cluster": {k: v for k, v in clusters.items() if v is not None}}],
            "users": [{"name": "me", "user": {k: v for k, v in users.items() if v is not None}}],
            **top}  # fmt: skip


class Files(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def file(self, name, text):
        (self.folder / name).write_text(text)
        return self.folder / name

    def config(self, *args, **kwargs):
        name = f"config-{len(list(self.folder.iterdir()))}"
        return self.file(name, json.dumps(kubeconfig(*args, **kwargs)))

    def settings(self, path, *more):
        args = ["--tcp", "h:1", "--kubeconfig", str(path), *more]
        return provision.settings_of(provision.parse(args))


class Kubeconfig(Files):
    def trouble(self, path, *more):
        with self.assertRaises(provision.Trouble) as caught:
            self.settings(path, *more)
        self.assertNotIn(base64.b64encode(KEY).decode()[:16], str(caught.exception))
        return str(caught.exception)

    def test_everything_is_taken(self):
        got = self.settings(self.config({"tls-server-name": "api"}), "--label", "a=b", "--label",
                            "c=d", "--taint", "k=v:NoSchedule", "--set", "lease-duration=60",
                            "--set", "hostname=")  # fmt: skip
        self.assertEqual("\n".join(got.pop("ca")) + "\n", "".join(pem("CERTIFICATE", c) for c in CA))
        self.assertEqual("\n".join(got.pop("cert")) + "\n", pem("CERTIFICATE", CERT))
        self.assertEqual("\n".join(got.pop("key")) + "\n", pem("EC PRIVATE KEY", KEY))
        self.assertEqual(got, {"server": "https://10.1.2.3:6443", "tls-server-name": "api",
                               "node-name": "board-1", "labels": "a=b,c=d",
                               "taints": "k=v:NoSchedule", "lease-duration": "60",
                               "hostname": ""})  # fmt: skip

    def test_options_win(self):
        got = self.settings(self.config({"tls-server-name": "api"}), "--server", "https://b",
                            "--tls-server-name", "c")  # fmt: skip
        self.assertEqual((got["server"], got["tls-server-name"]), ("https://b", "c"))

    def test_lines_of_any_length_are_cut_anew(self):
        path = self.config(user={"client-key-data": data(pem("PRIVATE KEY", KEY, 1000))})
        self.assertEqual("\n".join(self.settings(path)["key"]) + "\n", pem("PRIVATE KEY", KEY))

    def test_files_beside_it(self):
        self.file("k.pem", KEY_PEM)
        path = self.config(user={"client-key-data": None, "client-key": "k.pem"})
        self.assertEqual("\n".join(self.settings(path)["key"]) + "\n", pem("EC PRIVATE KEY", KEY))
        (self.folder / "k.pem").unlink()
        self.assertIn("k.pem: No such file or directory", self.trouble(path))

    def test_other_forms(self):
        try:
            import yaml
        except ImportError:
            yaml = None
        expected = self.settings(self.config())
        text = json.dumps(kubeconfig(), indent=1)
        path = self.file("yaml", "# not JSON\n" + text)
        if yaml:
            self.assertEqual(self.settings(path), expected)
            bad = self.file("bad", "a: [\n" + KEY_PEM)
            self.assertIn("no YAML, see line", self.trouble(bad))
        fake = self.file("kubectl", f'#!/bin/sh\n[ "$5" = "{path}" ] && cat "{self.file("j", text)}"')
        fake.chmod(0o755)
        with mock.patch.dict(sys.modules, {"yaml": None}):
            with mock.patch.dict(os.environ, {"PATH": f"{self.folder}:{os.environ['PATH']}"}):
                self.assertEqual(self.settings(path), expected)
            with mock.patch.dict(os.environ, {"PATH": "/nowhere"}):
                self.assertIn("python3-yaml, or kubectl", self.trouble(path))

    def test_the_port(self):
        """client-ca, server-cert and server-key come from files, with or without a kubeconfig."""
        ca = self.file("ca.crt", "".join(pem("CERTIFICATE", c) for c in CA))
        cert, key = self.file("s.crt", pem("CERTIFICATE", CERT)), self.file("s.key", KEY_PEM)
        files = "--client-ca", str(ca), "--server-cert", str(cert), "--server-key", str(key)
        got = self.settings(self.config(), *files, "--set", "port=0")
        self.assertEqual("\n".join(got["client-ca"]) + "\n", ca.read_text())
        self.assertEqual("\n".join(got["server-cert"]) + "\n", cert.read_text())
        self.assertEqual("\n".join(got["server-key"]) + "\n", pem("EC PRIVATE KEY", KEY))
        self.assertEqual(got["port"], "0")
        args = provision.parse(["--tcp", "h:1", *files[:2], "--set", "server-cert=", "--set", "server-key="])
        got = provision.settings_of(args)
        self.assertEqual(list(got), ["client-ca", "server-cert", "server-key"])
        self.assertEqual(got["server-cert"], "")

    def test_troubles_of_the_port(self):
        cert, key = self.file("s.crt", pem("CERTIFICATE", CERT)), self.file("s.key", KEY_PEM)
        rsa = self.file("rsa.key", pem("RSA PRIVATE KEY", der(1190)))
        rows = (
            (("--server-cert", cert), "come together"),
            (("--server-key", key), "come together"),
            (("--server-cert", cert, "--server-key", rsa), "rsa.key is not P-256"),
            (("--server-cert", key, "--server-key", key), "s.key holds no certificate"),
            (("--server-cert", cert, "--server-key", cert), "s.crt holds no private key"),
            (("--client-ca", self.folder / "gone"), "gone: No such file"),
            (("--set", "client-ca=abc"), "--set client-ca=...: this comes from --client-ca FILE"),
            (("--set", "server-key=abc"), "this comes from --server-key FILE"),
        )
        for more, said in rows:
            with self.subTest(said=said):
                self.assertIn(said, self.trouble(self.config(), *map(str, more)))

    def test_a_key_belongs_to_its_certificate(self):
        """Scalar and point of RFC 6979, A.2.5; and one times the base point."""
        scalar = bytes.fromhex("C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721")
        point = bytes.fromhex("60FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6"
                              "7903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299")  # fmt: skip
        one = b"\0" * 31 + b"\1"
        base = b"".join(half.to_bytes(32, "big") for half in provision.P256_G)
        rsa = provision.RSA_OID
        name = b"\x0c" + bytes([len(SUBJECT)]) + SUBJECT

        def certificate(public):
            return pem("CERTIFICATE", der(600, name + P256 + b"\x03\x42\x00\x04" + public))

        def key(private):
            return pem("PRIVATE KEY", der(300, P256 + b"\x02\x01\x01\x04\x20" + private))

        unknown = pem("CERTIFICATE", CERT)
        rows = (
            (certificate(point), key(scalar), True), (certificate(base), key(one), True),
            (certificate(point), key(one), False), (certificate(base), key(scalar), False),
            (certificate(point) + certificate(base), key(scalar), True),  # the first is ours
            (certificate(base) + certificate(point), key(scalar), False),
            (pem("CERTIFICATE", der(600, name + rsa)), key(one), False),
            # not to be judged here
            (unknown, key(one), True), (certificate(point), KEY_PEM, True),
        )  # fmt: skip
        for at, (cert, private, fits) in enumerate(rows):
            files = ("--server-cert", str(self.file("p.crt", cert)),
                     "--server-key", str(self.file("p.key", private)))  # fmt: skip
            user = {"client-certificate-data": data(cert), "client-key-data": data(private)}
            with self.subTest(row=at):
                if fits:
                    self.assertIn("server-key", self.settings(self.config(), *files))
                    self.assertIn("key", self.settings(self.config({}, user)))
                else:
                    self.assertIn("--server-key does not belong", self.trouble(self.config(), *files))
                    self.assertIn("client-key does not belong", self.trouble(self.config({}, user)))

    def test_troubles(self):
        encrypted = KEY_PEM.replace("KEY-----\n", "KEY-----\nProc-Type: 4,ENCRYPTED\n\n", 1)
        rows = (
            (({"server": None},), "the cluster has no server"),
            (({"certificate-authority-data": None},), "no certificate-authority"),
            (({"certificate-authority-data": data("x")},), "certificate-authority holds no certif"),
            (({"certificate-authority-data": "%"},), "not the base64 form of PEM"),
            (({"certificate-authority-data": 7},), "not the base64 form of PEM"),
            (({"insecure-skip-tls-verify": True},), "insecure-skip-tls-verify"),
            (({"proxy-url": "http://p"},), "proxy-url"),
            (({"server": "https://a\rfactory-reset yes"},), "cannot be typed"),
            (({}, {"client-certificate-data": None, "token": "t0k"}), "no client certificate"),
            (({}, {"client-certificate-data": None, "exec": {}}), "no client certificate"),
            (({}, {"client-key-data": None}), "no client-key"),
            (({}, {"client-key-data": data(pem("PUBLIC KEY", KEY))}), "no private key"),
            (({}, {"client-key-data": data(pem("ENCRYPTED PRIVATE KEY", KEY))}), "is encrypted"),
            (({}, {"client-key-data": data(encrypted)}), "is encrypted"),
            (({}, {"client-key-data": data(pem("RSA PRIVATE KEY", der(1190)))}), "is not P-256"),
            (({}, {"client-key-data": data(pem("PRIVATE KEY", der(300, P256[:-1] + b"\x08")))}),
             "is not P-256"),
            (({}, {"client-certificate-data": data(pem("CERTIFICATE", CA[0]))}), "--node-name"),
        )
        for changes, said in rows:
            with self.subTest(said=said):
                self.assertIn(said, self.trouble(self.config(*changes)))
        tops = (
            ({"current-context": ""}, "no current-context"),
            ({"current-context": "gone"}, 'no context "gone"'),
            ({"current-context": "elsewhere"}, 'no cluster "none"'),
            ({"users": []}, 'no user "me"'),
            ({"users": 3}, 'no user "me"'),
        )
        for top, said in tops:
            with self.subTest(said=said):
                self.assertIn(said, self.trouble(self.config(**top)))
        self.assertIn("No such file", self.trouble(self.folder / "gone"))
        self.assertIn("is no kubeconfig", self.trouble(self.file("list", "[]")))

    def test_options_that_cannot_be(self):
        path = self.config()
        rows = (
            (("--node-name", "board-2"), 'for the node "board-1", not "board-2"'),
            (("--context", "gone"), 'no context "gone"'),
            (("--set", "x"), "NAME=VALUE"),
            (("--set", "key=abc"), "comes from the kubeconfig"),
            (("--set", "hostname=a\nb"), "cannot be typed"),
            (("--set", "hostname=\xe9"), "cannot be typed"),
        )
        for more, said in rows:
            with self.subTest(said=said):
                self.assertIn(said, self.trouble(path, *more))


class Lines(unittest.TestCase):
    """What is read between log lines, in pieces of any size."""

    TEXT = (b"\r\n> se\r\x1b[KI 1.000 ok it is\r\n> set a b\r\nE 2.000 error: x\r\nok a is set\r\n> "
            b"\r\x1b[KI 3.000 x\r\n> ")  # fmt: skip

    def test_answer_is_found(self):
        for size in range(1, len(self.TEXT)):
            line = mock.Mock()
            line.read.side_effect = [self.TEXT[at : at + size] for at in range(0, len(self.TEXT), size)]
            found = provision.Console(line, 5).wait_for(provision.is_answer)
            self.assertEqual(found[-1], "ok a is set\n")
            self.assertEqual(found.count("> set a b\n"), 1)


def talk(where, *args):
    """Exit code, output and error output of tools/provision."""
    command = [sys.executable, "-B", ROOT / "tools/provision", *where, *args]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


class Paced(unittest.TestCase):
    """A board with room for a single line: what comes before its prompt is lost."""

    def setUp(self):
        self.near, self.far = socket.socketpair()
        self.addCleanup(self.near.close)
        self.addCleanup(self.far.close)
        self.console = provision.Console(provision.Line(self.near.fileno(), "board"), 5)
        self.early = []

    def say(self, text):
        if select.select([self.far], [], [], 0.05)[0]:
            self.early.append(self.far.recv(4096))
        self.far.sendall(text.encode())

    def line(self):
        return b"".join(iter(lambda: self.far.recv(1).replace(b"\r", b""), b"")).decode()

    def serve(self, serve):
        def run():
            with contextlib.suppress(OSError):
                serve()

        thread = threading.Thread(target=run)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(self.near.shutdown, socket.SHUT_RDWR)

    def test_a_line_at_a_time(self):
        pasted = ["-----BEGIN X-----", "MAEA", "-----END X-----"]
        got = []

        def board():
            got.append(self.line())
            for number in range(1, 5):
                self.say(f"\r\n{number}| ")
                got.append(self.line())
                self.say(f"\r\x1b[KI 1.000 the prompt comes again\r\n{number}| ")
            self.say("\r\nok 3 bytes\r\n> ")

        self.serve(board)
        self.console.paste("x", pasted)
        self.assertEqual((got, self.early), (["set x", *pasted, "."], []))

    def test_log_lines_are_no_part_of_an_answer(self):
        def board():
            self.line()
            self.say("show\r\na  b\r\nW 12.345 heard\r\nc  d\r\nok\r\n> ")

        self.serve(board)
        self.assertEqual(self.console.command("show"), (["show", "a  b", "c  d"], "ok"))


class Silent(Files):
    """Boards that are not there, or not any more."""

    def fails(self, serve, *more, timeout="0.4"):
        with socket.create_server(("127.0.0.1", 0)) as server:

            def run():
                with contextlib.suppress(OSError), server.accept()[0] as peer:
                    serve(peer)

            thread = threading.Thread(target=run)
            thread.start()
            where = "--tcp", f"127.0.0.1:{server.getsockname()[1]}", "--timeout", timeout
            code, out, err = talk(where, *(more or ("--show",)))
            thread.join()
        self.assertEqual((code, out), (1, ""))
        self.assertEqual(err.count("\n"), 1, err)
        return err

    @staticmethod
    def drain(peer):
        while peer.recv(4096):
            pass

    def test_no_answer(self):
        self.assertIn("no answer from the board's console within 0.4 s", self.fails(self.drain))

    def test_noise(self):
        def serve(peer):
            peer.sendall(bytes(range(256)) * 8 + b"\nok\nerror: no\n> 1| ")
            self.drain(peer)

        self.assertIn("no answer from the board's console", self.fails(serve))

    def test_hangs_up(self):
        self.assertRegex(self.fails(lambda peer: peer.recv(1)), "ended the connection|reset by peer")

    def test_falls_silent_while_pasting(self):
        def serve(peer):
            with peer.makefile("rb") as lines:
                for typed in iter(lambda: read_to_cr(lines), b""):
                    word = typed.strip(b"\x03").decode()
                    if word == "set ca":
                        peer.sendall(b"paste\r\n1| ")
                    elif word.startswith(("sync-", "discard", "set ")):
                        answer = f'error: no command "{word}"' if "sync" in word else "ok"
                        peer.sendall(f"> {word}\r\n{answer}\r\n> ".encode())

        def read_to_cr(lines):
            return b"".join(iter(lambda: lines.read(1).replace(b"\r", b""), b""))

        err = self.fails(serve, "--kubeconfig", str(self.config()))
        self.assertIn("does not answer any more; nothing was saved", err)

    def test_what_a_missing_answer_means(self):
        rows = (("discard", "nothing was saved"), ("set hostname a", "nothing was saved"),
                ("save", "whether it saved is for --show to tell"), ("show", "try again"),
                ("reboot", "whether it starts again is not known"))  # fmt: skip
        for text, said in rows:
            line = mock.Mock()
            line.read.return_value = b""
            with self.subTest(text=text), self.assertRaisesRegex(provision.Trouble, f"any more; {said}$"):
                provision.Console(line, 0.05).command(text)
            line.read.side_effect = provision.Lost("board: gone")
            with self.subTest(text=text), self.assertRaisesRegex(provision.Trouble, f"gone; {said}$"):
                provision.Console(line, 0.05).command(text)

    def test_nobody_there(self):
        rows = (
            (("--tcp", "127.0.0.1:1"), "Connection refused"),
            (("--tcp", "here"), "HOST:PORT"),
            (("--unix", str(self.folder / "gone")), "No such file or directory; does the board run"),
            (("--serial", str(self.folder / "gone")), "No such file"),
            (("--serial", "/dev/null"), "no serial line"),
            (("--serial", "/dev/null", "--baud", "7"), "no speed"),
        )
        for where, said in rows:
            with self.subTest(said=said):
                code, out, err = talk(where, "--show")
                self.assertEqual((code, out), (1, ""))
                self.assertIn(said, err)
        self.assertIn("nothing to do", talk(("--tcp", "127.0.0.1:1"))[2])

    def test_help_reads(self):
        with contextlib.redirect_stdout(io.StringIO()) as out, self.assertRaises(SystemExit):
            provision.parse(["--help"])
        self.assertIn("--kubeconfig", out.getvalue())


@unittest.skipUnless(CONSOLE, "FK_CONSOLE_TTY names no console: ctest runs these")
class RealConsole(Files):
    def board(self, fd, *more):
        process = subprocess.Popen([CONSOLE, self.folder / "flash", *more], stdin=fd, stdout=fd)
        self.addCleanup(process.wait, 10)
        return process

    def talk(self, *args, more=()):
        """The same over TCP: a console for each call, its flash kept."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            where = "--tcp", f"127.0.0.1:{server.getsockname()[1]}"

            def run():
                with server.accept()[0] as peer:
                    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    self.board(peer.fileno(), *more)

            thread = threading.Thread(target=run)
            thread.start()
            got = talk(where, *map(str, args))
            thread.join()
        self.assertNotIn(base64.b64encode(KEY).decode()[:16], got[1] + got[2])
        return got

    def flash(self):
        return (self.folder / "flash").read_bytes()

    def test_all_of_it(self):
        for more in ((), ("--chatty",)):
            with self.subTest(more=more):
                code, out, err = self.talk("--kubeconfig", self.config(), "--label", "a=b",
                                           "--reboot", more=more)  # fmt: skip
                self.assertEqual((code, err), (0, ""))
                self.assertTrue(out.endswith("saved; reboot to use\nrebooting\n"), out)
                for secret in (CA[0] + CA[1], CERT, KEY):
                    self.assertIn(secret, self.flash())
                code, out, err = self.talk("--show", more=more)
                self.assertEqual((code, err), (0, ""))
                lines = out.splitlines()
                self.assertIn("key              set, 300 bytes", lines)
                self.assertIn("ca               set, 900 bytes", lines)
                self.assertIn("server           https://10.1.2.3:6443", lines)
                self.assertIn("node-name        board-1", lines)
                self.assertIn("labels           a=b", lines)
                self.assertEqual(len(lines), 22)
                (self.folder / "flash").unlink()

    def test_unix_socket_and_serial_line(self):
        path = str(self.folder / "socket")
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path)
            server.listen()
            process = subprocess.Popen([sys.executable, "-B", ROOT / "tools/provision", "--unix", path,
                                        "--set", "hostname=one"], stdout=subprocess.PIPE)  # fmt: skip
            with server.accept()[0] as peer:
                self.board(peer.fileno())
            self.assertIn(b"saved", process.communicate(timeout=60)[0])
            self.assertEqual(process.returncode, 0)
        ours, theirs = pty.openpty()
        tty.setraw(theirs)
        board = self.board(ours)
        code, out, err = talk(("--serial", os.ttyname(theirs)), "--show")
        board.terminate()
        os.close(ours)
        os.close(theirs)
        self.assertEqual((code, err), (0, ""))
        self.assertIn("hostname         one\n", out)

    def test_refused(self):
        self.talk("--set", "hostname=one")
        before = self.talk("--show")[1]
        rows = (
            (("--set", "lease-duration=0"), 'refuses "set lease-duration 0": lease-duration: must be'),
            (("--set", "colour=red"), 'refuses "set colour red": no setting "colour"'),
            (("--kubeconfig", self.config(), "--label", "a"), 'refuses "set labels a": labels: '),
            (("--kubeconfig", self.config({"certificate-authority-data": data(
                pem("CERTIFICATE", der(4097)))})), 'refuses "set ca": more than 4096 bytes'),
            (("--kubeconfig", self.config({"certificate-authority-data": data(
                pem("CERTIFICATE", CA[0][:-1]))})), 'refuses "set ca": line 11: bytes are missing'),
        )  # fmt: skip
        for args, said in rows:
            with self.subTest(said=said):
                code, _, err = self.talk(*args)
                self.assertEqual(code, 1)
                self.assertIn(said, err)
                self.assertEqual(self.talk("--show")[1], before)

    def test_a_reboot_is_asked_for(self):
        near, far = socket.socketpair()
        with near:
            with far:
                self.board(far.fileno())
            console = provision.Console(provision.Line(near.fileno(), "board"), 10)
            console.synchronize()
            with contextlib.redirect_stdout(io.StringIO()):
                provision.provision(console, {"hostname": "one"})
                console.command("reboot")
                provision.provision(console, {"hostname": "two"})
                with self.assertRaisesRegex(provision.Trouble, "saved settings wait for a reboot"):
                    provision.provision(console, {"hostname": "three"})
            self.assertEqual(console.command("reboot")[1], "ok rebooting")
            self.assertIn("reboots          2", console.command("status")[0])

    def test_nothing_half_done_is_left(self):
        """The console stays, as a board does: what was set before the refusal is discarded."""
        near, far = socket.socketpair()
        with near:
            with far:
                self.board(far.fileno())
            console = provision.Console(provision.Line(near.fileno(), "board"), 10)
            with self.assertRaisesRegex(provision.Trouble, "no setting"):
                with contextlib.redirect_stdout(io.StringIO()):
                    provision.talk(console, {"hostname": "one", "colour": "red"}, None)
            self.assertIn("hostname         (not set)", console.command("show")[0])

    def test_what_somebody_left_behind(self):
        """Half a line, half an escape sequence, half a key, noise, a draft: none is in the way."""
        rows = (b"set server htt", b"\x1b[1;", b"set key\r-----BEGIN PRIVATE KEY-----\rMIG",
                bytes(range(256)) * 20, b"set hostname draft\r")  # fmt: skip
        ca = provision.certificates(pem("CERTIFICATE", CA[0]), "")
        for left in rows:
            with self.subTest(left=left[:20]):
                near, far = socket.socketpair()
                with near:
                    with far:
                        self.board(far.fileno())
                    near.sendall(left)
                    console = provision.Console(provision.Line(near.fileno(), "board"), 10)
                    console.synchronize()
                    with contextlib.redirect_stdout(io.StringIO()):
                        provision.provision(console, {"node-name": "a", "ca": ca})
                    shown = console.command("show")[0]
                    self.assertIn("node-name        a", shown)
                    self.assertIn("hostname         (not set)", shown)
                (self.folder / "flash").unlink()


if __name__ == "__main__":
    unittest.main()
