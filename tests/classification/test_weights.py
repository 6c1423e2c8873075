"""Official weights: torchvision's loader is used with its hash check, and every way it can fail is a sentence."""

import http.client
import io
import re
import socket
import urllib.error
import urllib.request

import pytest
import torch
import torchvision.models
from torch import Tensor, nn

from crashcourse.classification import MODELS, load_pretrained, normalize, weights
from crashcourse.errors import CourseError

LOADER = "torchvision.models._api.load_state_dict_from_url"


@pytest.fixture(autouse=True)
def _fresh_cache(monkeypatch, tmp_path):
    """An empty cache, and an environment as a learner's."""
    monkeypatch.delenv("CRASHCOURSE_STATIC", raising=False)
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path / "hub"))


def published(name: str, **options: object) -> dict[str, Tensor]:
    """What the file of a network could hold: random weights under torchvision's names."""
    torch.manual_seed(7)
    return getattr(torchvision.models, name)(**options).state_dict()


@pytest.fixture
def loader(monkeypatch):
    """torchvision's loader, replaced: notes what it was asked for and returns `loader.state`."""

    class Loader:
        state: dict[str, Tensor]
        calls: list[tuple[str, dict]]

        def __init__(self) -> None:
            self.calls = []

        def __call__(self, url: str, **options: object) -> dict[str, Tensor]:
            print("Downloading")
            self.calls.append((url, options))
            return self.state

    replaced = Loader()
    monkeypatch.setattr(LOADER, replaced)
    return replaced


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2", "squeezenet1_1", "shufflenet_v2_x0_5", "efficientnet_b0"])
def test_our_network_computes_what_torchvisions_does_with_the_weights(loader, name):
    """Weights land in other layers, the hash is not checked, or the network is left in training mode."""
    loader.state = published(name)
    ours = load_pretrained(name)
    ((url, options),) = loader.calls
    assert url == torchvision.models.get_model_weights(name)["IMAGENET1K_V1"].url
    assert options["check_hash"] is True
    assert not ours.training
    assert type(ours) is type(MODELS[name](2))
    theirs = getattr(torchvision.models, name)().eval()
    theirs.load_state_dict(loader.state)
    batch = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(ours(batch), theirs(batch), rtol=1e-5, atol=1e-5)


def test_densenets_old_names_are_translated(loader):
    """The official file has names such as `norm.1`, which no module may have today."""
    state = published("densenet121")
    inner = re.compile(r"(denselayer\d+\.(?:norm|conv))([12])")
    old = {inner.sub(r"\1.\2", key): value for key, value in state.items() if "num_batches" not in key}
    assert not any(inner.search(key) for key in old)
    loader.state = old
    ours = load_pretrained("densenet121").state_dict()
    assert all(torch.equal(ours[key], value) for key, value in state.items() if "num_batches" not in key)


def test_googlenet_comes_without_heads_and_with_its_own_scale(loader):
    """The untrained auxiliary heads are handed out as trained, or images get the other networks' scale."""
    loader.state = published("googlenet", aux_logits=True, init_weights=False)
    ours = load_pretrained("googlenet")
    assert ours.aux1 is None
    assert ours.aux2 is None
    theirs = torchvision.models.get_model("googlenet", weights="IMAGENET1K_V1").eval()
    assert theirs.transform_input
    images = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = theirs(normalize(images))
        torch.testing.assert_close(ours(normalize(images, "googlenet")), expected, rtol=1e-4, atol=1e-4)


def test_progress_false_is_silent(loader, capsys):
    """The loader announces itself with a path of this machine, in a lesson's output."""
    loader.state = published("squeezenet1_1")
    load_pretrained("squeezenet1_1", progress=False)
    assert capsys.readouterr() == ("", "")
    load_pretrained("squeezenet1_1")
    assert "Downloading" in capsys.readouterr().out


def test_normalize_is_torchvisions():
    """Channels get another mean or deviation than the weights expect."""
    from torchvision.transforms.functional import normalize as other

    images = torch.rand(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(normalize(images), other(images, weights.MEAN, weights.STD))
    torch.testing.assert_close(normalize(images, "googlenet"), 2 * images - 1)
    preset = torchvision.models.ResNet50_Weights.IMAGENET1K_V1.transforms()
    assert (preset.mean, preset.std) == (list(weights.MEAN), list(weights.STD))


@pytest.mark.parametrize("images", [torch.zeros(3, 4, 4), torch.zeros(1, 1, 4, 4), torch.zeros(1, 3, 4, 4).byte()])
def test_normalize_refuses_other_images(images):
    """Bytes of 0 to 255 are normalised as if they were between 0 and 1."""
    with pytest.raises(CourseError, match=r"in \[0, 1\]; got"):
        normalize(images)


def refuse_connections(monkeypatch) -> list[object]:
    """No name resolves and nothing connects; what was asked for is listed."""
    asked: list[object] = []

    def refuse(*arguments: object, **options: object) -> None:
        asked.append(arguments)
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(urllib.request, "_opener", None)
    return asked


def test_without_a_network_a_sentence_says_how_to_get_them(monkeypatch):
    """A learner on a train meets fifty lines of urllib, or does not learn where the file goes."""
    asked = refuse_connections(monkeypatch)
    with pytest.raises(CourseError) as error:
        load_pretrained("resnet50", progress=False)
    assert asked, "the real loader was tried"
    words = str(error.value)
    source = torchvision.models.ResNet50_Weights.IMAGENET1K_V1
    assert "Name or service not known" in words
    assert "Call load_pretrained('resnet50') once where there is a network" in words
    assert source.url in words
    assert words.endswith(f"checkpoints/{source.url.rsplit('/', 1)[1]}.")
    assert "\n" not in words


@pytest.mark.parametrize(
    "failure",
    [
        urllib.error.HTTPError("https://example.org", 503, "Service Unavailable", None, None),
        http.client.IncompleteRead(b""),
        TimeoutError("timed out"),
    ],
)
def test_a_network_that_fails_is_the_same_sentence(monkeypatch, failure):
    """A server's bad day ends in a stack trace."""

    def fail(*arguments: object, **options: object) -> None:
        raise failure

    monkeypatch.setattr(LOADER, fail)
    with pytest.raises(CourseError, match="could not be fetched"):
        load_pretrained("resnet18")


def test_a_damaged_file_is_named(tmp_path):
    """A download that was cut fails for ever, and nobody says which file to delete."""
    source = torchvision.models.ResNet18_Weights.IMAGENET1K_V1
    file = tmp_path / "hub" / "checkpoints" / source.url.rsplit("/", 1)[1]
    file.parent.mkdir(parents=True)
    for content in (b"", b"PK\x03\x04 cut", b"no weights"):
        file.write_bytes(content)
        with pytest.raises(CourseError, match="damaged") as error:
            load_pretrained("resnet18")
        assert f"Delete {file}" in str(error.value)


def test_a_wrong_hash_is_refused(monkeypatch):
    """A file that is not the official one is used because its hash is not looked at."""

    class Response(io.BytesIO):
        headers = http.client.HTTPMessage()

        def info(self) -> http.client.HTTPMessage:
            return self.headers

    monkeypatch.setattr(torch.hub, "urlopen", lambda *arguments, **options: Response(b"bad"))
    with pytest.raises(CourseError, match="invalid hash value"):
        load_pretrained("resnet18", progress=False)


def test_builds_never_ask_the_network(monkeypatch, loader):
    """A lesson shows one thing on a machine with the file and another on one without."""
    monkeypatch.setenv("CRASHCOURSE_STATIC", "1")
    loader.state = published("squeezenet1_1")
    with pytest.raises(CourseError, match="stay offline"):
        load_pretrained("squeezenet1_1")
    assert loader.calls == []


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("mobilnet_v2", {}, "Did you mean 'mobilenet_v2'"),
        ("mobilenet_v1", {}, "Nobody publishes official weights of mobilenet_v1"),
        ("vgg16_c", {}, "Nobody publishes"),
        ("resnet18", {"version": "IMAGENET1K_V2"}, "IMAGENET1K_V1; got 'IMAGENET1K_V2'"),
    ],
)
def test_unknown_names_and_versions_are_refused(name, options, words, loader):
    """Another network's weights are fetched, or a stack trace ends the try."""
    with pytest.raises(CourseError, match=words):
        load_pretrained(name, **options)
    assert loader.calls == []


def test_weights_that_do_not_fit_are_refused(loader):
    """Half-loaded weights pass for pretrained ones."""
    loader.state = {key: value for key, value in published("resnet18").items() if key != "fc.bias"}
    with pytest.raises(CourseError, match="damaged"):
        load_pretrained("resnet18")


def test_every_row_that_torchvision_has_has_weights():
    """The room calls a network by torchvision's name and has no weights for it."""
    for name in set(MODELS) & set(torchvision.models.list_models(torchvision.models)):
        assert weights._source(name, "IMAGENET1K_V1").url.startswith("https://")


def test_the_newer_weights_are_asked_for_by_their_name(loader):
    """`version` is accepted and ignored."""
    loader.state = published("mobilenet_v2")
    assert isinstance(load_pretrained("mobilenet_v2", version="IMAGENET1K_V2"), nn.Module)
    assert loader.calls[0][0] == torchvision.models.MobileNet_V2_Weights.IMAGENET1K_V2.url
