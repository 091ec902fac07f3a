import pytest

from tests import vendor


@pytest.mark.parametrize("package", vendor.packages(), ids=lambda package: package.name)
def test_vendored_files_are_the_recorded_ones(package: vendor.Package) -> None:
    assert any("LICENSE" in path for path in package.files)
    for path, digest in package.files.items():
        assert vendor.digest(package.place(path).read_bytes()) == digest, f"{path}: run `make vendor`"
