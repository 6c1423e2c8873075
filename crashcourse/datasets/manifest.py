"""What the project ships, with hashes, and whether it is all here as it was made."""

from importlib.util import find_spec
from pathlib import Path

from crashcourse.errors import CourseError
from crashcourse.files import read_json, sha256_of
from crashcourse.places import data_dir

# The photographs for testing, read from the scikit-image package (0.26).
PACKAGE_HASHES = {
    "astronaut.png": "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5",
    "brick.png": "7966caf324f6ba843118d98f7a07746d22f6a343430add0233eca5f6eaaa8fcf",
    "camera.png": "b0793d2adda0fa6ae899c03989482bff9a42d3d5690fc7e3648f2795d730c23a",
    "chelsea.png": "596aa1e7cb875eb79f437e310381d26b338a81c2da23439704a73c4651e8c4bb",
    "coffee.png": "cc02f8ca188b167c775a7101b5d767d1e71792cf762c33d6fa15a4599b5a8de7",
    "coins.png": "f8d773fc9cfa6f4d8e5942dc34d0a0788fcaed2a4fefbbed0aef5398d7ef4cba",
    "grass.png": "b6b6022426b38936c43a4ac09635cd78af074e90f42ffa8227ac8b7452d39f89",
    "gravel.png": "c48615b451bf1e606fbd72c0aa9f8cc0f068ab7111ef7d93bb9b0f2586440c12",
    "hubble_deep_field.jpg": "3a19c5dd8a927a9334bb1229a6d63711b1c0c767fb27e2286e7c84a3e2c2f5f4",
    "rocket.jpg": "c2dd0de7c538df8d111e479619b129464d0269d0ae5fd18ca91d33a7fdfea95c",
}
FIELDS = {"file", "split", "sha256", "source", "licence", "credit", "made"}


def entries() -> list[dict[str, str]]:
    """The entries of `data/manifest.json`: file, split, sha256, source, licence, credit and how it was made.

    Raises:
        CourseError: the manifest is missing, damaged or lacks a field.
    """
    path = data_dir() / "manifest.json"
    found = read_json(path)
    if not isinstance(found, list) or any(not isinstance(e, dict) or e.keys() != FIELDS for e in found):
        raise CourseError(f"{path} is not the manifest of the data. Restore it from the repository.")
    return found


def package_folder() -> Path:
    """The folder of photographs inside the installed scikit-image, found without importing it.

    Raises:
        CourseError: scikit-image is not installed.
    """
    spec = find_spec("skimage")
    if spec is None or not spec.submodule_search_locations:
        raise CourseError(
            'scikit-image is not installed: pip install "scikit-image>=0.26,<0.27" brings the test photographs.'
        )
    return Path(spec.submodule_search_locations[0]) / "data"


def verify() -> list[tuple[str, bool, str]]:
    """Check every data file by its hash.

    Returns:
        For each file its name, whether it is as it was made, and a sentence: what it is, or what to do.
    """
    try:
        ours = [
            _verdict(e["file"], data_dir() / e["file"], e["sha256"], "Restore it from the repository or install again.")
            for e in entries()
        ]
    except CourseError as error:
        ours = [("manifest.json", False, str(error))]
    try:
        folder = package_folder()
    except CourseError as error:
        return [*ours, ("scikit-image", False, str(error))]
    remedy = 'pip install --force-reinstall "scikit-image>=0.26,<0.27" brings it back.'
    theirs = [_verdict(f"scikit-image/{file}", folder / file, want, remedy) for file, want in PACKAGE_HASHES.items()]
    return ours + theirs


def _verdict(name: str, path: Path, expected: str, remedy: str) -> tuple[str, bool, str]:
    if not path.is_file():
        return name, False, f"{name} is missing. {remedy}"
    try:
        found = sha256_of(path)
    except CourseError as error:
        return name, False, f"{error} {remedy}"
    if found != expected:
        return name, False, f"{name} is damaged: SHA-256 {found[:12]}…, expected {expected[:12]}…. {remedy}"
    return name, True, f"{name} is as it was made (SHA-256 {found[:12]}…)."
