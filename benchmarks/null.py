"""How often chance alone raises an alarm: the demo's control, membership redrawn 200 times.

    python benchmarks/null.py

The control model never saw the candidates, so every alarm is false, and so is every verdict that a
blind attack takes away. Uses the store's model
and signals where the demo has left them. Writes benchmarks/results/null.json.
"""

import tempfile

from machine import keep

import nonmember as nm
from nonmember.console.jobs import progress
from nonmember.evaluation.intervals import clopper_pearson
from nonmember.verbs.specs import demo_spec

TIMES = 200


def main() -> None:
    """Audit the control alone, with many redraws."""
    values = demo_spec().model_dump()
    values["targets"] = {"control": values["targets"]["control"]}
    values["evaluation"]["redraws"] = TIMES
    with tempfile.TemporaryDirectory() as folder:
        (target,) = nm.audit_spec(values, folder + "/run", observe=progress).targets
    rate = clopper_pearson(target.redraws.alarms, target.redraws.times)
    found = {
        "redraws": target.redraws.times,
        "alarms": target.redraws.alarms,
        "verdicts withheld": target.redraws.withheld,
        "rate": [round(end, 4) for end in (rate.low, rate.value, rate.high)],
        "nominal": 0.05,
        "attacks": [attack.name for attack in target.attacks],
    }
    keep("null", "control", found)


if __name__ == "__main__":
    main()
