"""FireWorks is told what a job needs."""

from __future__ import annotations

from scdp_flows.submission.cluster import Placement
from scdp_flows.submission.fireworks import fireworks_words

PLACE = Placement(
    worker="gpu", queue="a100", account="mine", cores=4, gpus=2, memory_gb=2.5, wall_time_s=5430
)


def test_fireworks_is_told_category_and_batch_script() -> None:
    words = fireworks_words(PLACE)
    assert words["_category"] == "gpu"
    assert words["_queueadapter"] == {
        "queue": "a100",
        "account": "mine",
        "nodes": 1,
        "ntasks_per_node": 1,
        "cpus_per_task": 4,
        "gres": "gpu:2",
        "mem_per_cpu": "2560M",
        "walltime": "01:31:00",
    }
    assert "_category" not in fireworks_words(Placement())
