"""The installed package, from a folder that is not the source: `python tests/python/test_package.py LOG CONFIG`.

needs pyarrow, pandas and polars, and the wheel installed.
"""

import json
import os
import sys
import tempfile
import unittest
from pathlib import Path

import stagegate

LOG, CONFIG = (Path(argument).resolve() for argument in sys.argv[1:3])


class Package(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        os.chdir(cls.folder.name)
        cls.report = stagegate.report(LOG, config=CONFIG, out="made")

    @classmethod
    def tearDownClass(cls):
        os.chdir("/")
        cls.folder.cleanup()

    def test_the_program_is_that_of_the_package(self):
        self.assertEqual(stagegate.executable().parent, Path(sys.executable).parent)

    def test_a_report_is_what_was_written(self):
        written = json.loads(Path("made/report.json").read_text(encoding="utf-8"))
        self.assertEqual(self.report.data, written)
        self.assertEqual(self.report.decision, written["decision"]["value"])
        self.assertEqual(self.report.summary, written["summary"])
        self.assertEqual(len(self.report.reasons), len(written["decision"]["reasons"]))
        self.assertTrue(self.report.html.read_text(encoding="utf-8").startswith("<!doctype html>"))

    def test_figures_are_the_same_in_every_frame(self):
        arrow = self.report.figures()
        pandas = self.report.figures("pandas")
        polars = self.report.figures("polars")
        self.assertEqual((arrow.num_rows, len(pandas)), (polars.height, polars.height))
        self.assertEqual(arrow.column_names, polars.columns)
        self.assertEqual(list(pandas.columns), polars.columns)
        final = self.report.data["stages"][-1]
        expected = final["groups"]["treated"]["error_rate"]
        rows = [
            row
            for row in arrow.to_pylist()
            if (row["stage"], row["arm"], row["metric"], row["segment"])
            == (final["name"], "treated", "error_rate", "")
        ]
        self.assertEqual(len(rows), 1)
        self.assertEqual((rows[0]["value"], rows[0]["n"]), (expected["value"], expected["n"]))
        with self.assertRaises(ValueError):
            self.report.figures("excel")

    def test_a_cube_has_tables(self):
        cube = stagegate.cube(LOG, config=CONFIG, out="x.cube")
        minutes = cube.table("minutes", "polars")
        counted = sum(group["groups"]["all"]["n"] for group in self.report.data["stages"])
        self.assertEqual(minutes["n"].sum(), counted)
        self.assertEqual(cube.header["files"][0]["rejected"], {})
        again = stagegate.report("x.cube", config=CONFIG, out="again")
        self.assertEqual(again.data["stages"], self.report.data["stages"])
        with self.assertRaisesRegex(KeyError, "minutes"):
            cube.table("hours")

    def test_a_check_answers_whatever_the_answer(self):
        self.assertEqual(stagegate.check(LOG, config=CONFIG)["decision"]["value"], self.report.decision)
        early = stagegate.check(LOG, config=CONFIG, stage="10%")
        self.assertIn(early["decision"]["value"], ["go", "incomplete", "review"])

    def test_what_cannot_be_read_is_an_error_that_says_why(self):
        with self.assertRaisesRegex(stagegate.StagegateError, "no file matches"):
            stagegate.report("gone.jsonl")
        with self.assertRaisesRegex(stagegate.StagegateError, "no file matches"):
            stagegate.check("--help")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=1)
