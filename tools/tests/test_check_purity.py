import subprocess
import tempfile
import unittest
from pathlib import Path

from load import load

check_purity = load("tools/check-purity")

# (layer, C source, the problem expected, or None)
ROWS = (
    ("base", "int fk_f(int x) { return x + 1; }", None),
    ("base", "static const int t[] = {1, 2}; int fk_f(int i) { return t[i]; }", None),
    # constants with addresses are constants
    ("base", "extern const char *const fk_t[]; const char *const fk_t[] = {\"a\", \"b\"};", None),
    ("base", "static int n; int fk_f(void) { return ++n; }", ".bss"),
    ("base", "static int n = 3; int fk_f(void) { return ++n; }", ".data"),
    ("base", "int fk_n = 3;", ".data"),
    ("base", "_Thread_local int fk_n;", ".tbss"),
    ("base", "__attribute__((constructor)) void fk_f(void) { __asm__ volatile(\"\"); }", ".init_array"),
    ("base", "void *malloc(unsigned long); void *fk_f(void) { return malloc(9); }", "malloc"),
    ("kubelet", "long time(long *); long fk_f(void) { return time(0); }", "time"),
    ("kubelet", "void fk_tls_open(void); void fk_f(void) { fk_tls_open(); }", "fk_tls_open"),
    ("kubelet", "_Noreturn void fk_assert_failed(const char *, int); "
                "void fk_f(void) { fk_assert_failed(\"\", 1); }", None),
    ("wire", "int nghttp2_x(void); int fk_f(void) { return nghttp2_x(); }", None),
    ("api", "int nghttp2_x(void); int fk_f(void) { return nghttp2_x(); }", "nghttp2_x"),
    ("api", "int pb_x(void); int fk_f(void) { return pb_x(); }", None),
)  # fmt: skip


def compile_library(build, layer, text):
    source = build / f"{layer}.c"
    source.write_text(text)
    subprocess.run(["gcc", "-O2", "-fdata-sections", "-c", source, "-o", source.with_suffix(".o")],
                   check=True)  # fmt: skip
    subprocess.run(["ar", "rcs", build / f"libfk_{layer}.a", source.with_suffix(".o")], check=True)


class CheckPurity(unittest.TestCase):
    def test_rows(self):
        for layer, text, expected in ROWS:
            with self.subTest(layer=layer, text=text), tempfile.TemporaryDirectory() as folder:
                build = Path(folder)
                compile_library(build, layer, text)
                problems, count = check_purity.check(build)
                self.assertEqual(count, 1)
                if expected is None:
                    self.assertEqual(problems, [])
                else:
                    self.assertEqual(len(problems), 1, problems)
                    self.assertIn(expected, problems[0])

    def test_a_layer_may_call_another(self):
        with tempfile.TemporaryDirectory() as folder:
            compile_library(Path(folder), "base", "int fk_g(void); int fk_g(void) { return 1; }")
            compile_library(Path(folder), "wire", "int fk_g(void); int fk_f(void) { return fk_g(); }")
            self.assertEqual(check_purity.check(Path(folder)), ([], 2))


if __name__ == "__main__":
    unittest.main()
