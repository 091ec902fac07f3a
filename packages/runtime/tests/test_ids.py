import re

from runtime.ids import new_id


def test_ids_have_a_prefix_differ_and_sort_by_time() -> None:
    made = [new_id("job") for _ in range(1_000)]
    assert all(re.fullmatch(r"job_[0-9a-f]{32}", one) for one in made)
    assert len(set(made)) == len(made)
    assert sorted(made) == made
