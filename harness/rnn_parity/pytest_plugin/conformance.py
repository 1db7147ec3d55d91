"""What an adapter's author subclasses: pytest tests that prove a backend.

    class TestAcme(BackendConformance):
        info = INFO

Each case of the suite is a test, declared gaps are xfails with their reason; relations
and stated accuracies are tests too. `rnn-parity conform NAME` asks the same at once.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from rnn_parity.adapter_tools.conformance import EACH, SAMPLES, not_kept, violations
from rnn_parity.adapter_tools.measure import measure_backends
from rnn_parity.checks.metamorphic import Bench, plan
from rnn_parity.checks.relations import RELATIONS
from rnn_parity.judge.certify import reference
from rnn_parity.judge.verdict import judge_entry
from rnn_parity.pytest_plugin.items import DeclaredGap
from rnn_parity.runs.engine import Runner
from rnn_parity.store.folder import RunFolder
from rnn_parity_core import BackendInfo, Case
from rnn_parity_core.limits import TIMEOUT
from rnn_parity_fixtures import catalogue
from rnn_parity_reports.describe import one_line, verdict_of
from rnn_parity_reports.results import GOOD


class Workshop:
    """A backend's worker and the folder that its outcomes go to."""

    def __init__(self, info: BackendInfo, path: Path) -> None:
        self.info = info
        self.folder = RunFolder(path)
        self.folder.prepare()
        self.runner = Runner(info, self.folder, TIMEOUT)


class BackendConformance:
    """Proves one backend; subclass it with a name that pytest collects."""

    info: ClassVar[BackendInfo]
    """The backend."""
    suite: ClassVar[str] = "standard"
    """The cases that it is asked for."""

    @classmethod
    def conformance_cases(cls) -> list[Case]:
        """Give the cases of the suite."""
        return catalogue.select([cls.suite], [], [])

    @classmethod
    def pytest_generate_tests(cls, metafunc: pytest.Metafunc) -> None:
        """Make one test of each case, relation and dtype."""
        cases = cls.conformance_cases()
        if "case" in metafunc.fixturenames:
            marked = [pytest.param(c, id=c.id, marks=cls._marks(c)) for c in cases]
            metafunc.parametrize("case", marked)
        if "relation" in metafunc.fixturenames:
            metafunc.parametrize("relation", list(RELATIONS))
        if "dtype" in metafunc.fixturenames:
            computed = [c.dtype for c in cases if not cls.info.gap(c)]
            metafunc.parametrize("dtype", list(dict.fromkeys(computed)))

    @classmethod
    def _marks(cls, case: Case) -> list[pytest.MarkDecorator]:
        gap = cls.info.gap(case)
        if gap is None:
            return []
        reason = gap.why
        return [pytest.mark.xfail(reason=reason, raises=DeclaredGap, strict=True)]

    @pytest.fixture(scope="class")
    @classmethod
    def workshop(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
        """Give the backend's worker, one for all tests of the class."""
        made = Workshop(cls.info, tmp_path_factory.mktemp("conformance") / "run")
        yield made
        made.runner.close()

    def test_case(self, case: Case, workshop: Workshop) -> None:
        """The certificate passes, or the case is a declared gap.

        One of which nothing is shown is skipped.
        """
        problem = catalogue.build(case)
        entry = workshop.runner.entry(problem)
        truth = reference(problem)
        judged = judge_entry(workshop.folder, problem, truth, self.info, entry)
        result = judged.result
        if result.verdict == "gap" and not self.info.gap(case):
            pytest.xfail(result.detail)  # of this case's data alone
        if result.verdict == "gap":
            raise DeclaredGap(result.detail)
        if result.verdict == "inconclusive":
            pytest.skip(one_line(result))
        if result.verdict not in GOOD:
            pytest.fail(f"{verdict_of(result)}: {result.detail}", pytrace=False)

    def test_relation(self, relation: str, workshop: Workshop) -> None:
        """The backend agrees with itself, by two ways to ask for the same."""
        chosen = plan(self.info, self.conformance_cases(), EACH)[relation]
        if not chosen:
            pytest.skip(f"no case of {self.suite} that {self.info.name} computes fits")
        bench = Bench(self.info, workshop.folder, workshop.runner)
        if wrong := violations([bench.trial(relation, case) for case in chosen]):
            pytest.fail("\n".join(wrong), pytrace=False)

    def test_accuracy(self, dtype: str) -> None:
        """Elementwise functions err by no more than stated, nor far less."""
        if wrong := not_kept(measure_backends([self.info], [dtype], SAMPLES)):
            pytest.fail("\n".join(wrong), pytrace=False)

    def test_something_is_computed(self) -> None:
        """Gaps do not cover everything: a backend of gaps alone proves nothing."""
        if all(self.info.gap(case) for case in self.conformance_cases()):
            pytest.fail(f"{self.info.name} declares a gap for every case of the suite")
