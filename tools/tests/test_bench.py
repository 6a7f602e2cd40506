import unittest

from load import load

bench = load("tools/bench")

# (value, must, goal, larger is better, what is said)
ROWS = (
    (260, 260, 200, False, "must met"),
    (261, 260, 200, False, "MISSED"),
    (200, 260, 200, False, "goal met"),
    (2, 1, None, False, "MISSED"),
    (1, 1, None, False, "met"),
    (5, None, None, False, ""),
    (90, 50, 100, True, "must met"),
    (49, 50, 100, True, "MISSED"),
    (100, 50, 100, True, "goal met"),
)


class Bench(unittest.TestCase):
    def test_verdicts(self):
        for value, must, goal, larger, said in ROWS:
            with self.subTest(value=value, must=must):
                promise = bench.Promise("x", must, goal, "", larger)
                self.assertEqual(bench.verdict(bench.Figure("x", value, "B"), promise), said)

    def test_lines_are_read(self):
        figures = bench.parse("a_bytes 12 B\nb 1.5 B/min\n")
        self.assertEqual([(f.name, f.value, f.unit) for f in figures],
                         [("a_bytes", 12, "B"), ("b", 1.5, "B/min")])  # fmt: skip

    def test_numbers_are_short(self):
        rows = ((None, ""), (12, "12"), (1234567, "1,234,567"), (215.52, "215.5"))
        for value, text in rows:
            self.assertEqual(bench.number(value), text)


if __name__ == "__main__":
    unittest.main()
