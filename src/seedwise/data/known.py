"""The datasets that have a name: where they are, how large, and what their classes are called."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

__all__ = ["DATASETS", "Archive", "Dataset", "class_words"]

_FASTAI = "https://s3.amazonaws.com/fast-ai-imageclas/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """A file to fetch, and how to know that it came whole.

    Attributes:
        address: Its URL.
        size_bytes: Its size.
        md5: MD5 of the whole, where known.
        first_md5: MD5 of the first MiB, where that of the whole is not known.
    """

    address: str
    size_bytes: int
    md5: str | None = None
    first_md5: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """A dataset with a name.

    Attributes:
        summary: One line about it.
        archive: Where it is fetched; None where it comes with a package.
        split: The split that it has when none is asked for, as study.toml writes it.
        kind: How it is read: `images` (folders of files), `cifar10` or `digits`.
    """

    summary: str
    archive: Archive | None
    split: str | Mapping[str, int]
    kind: str = "images"


def _fastai(
    file: str, size_bytes: int, *, md5: str | None = None, first_md5: str | None = None
) -> Archive:
    return Archive(address=f"{_FASTAI}{file}", size_bytes=size_bytes, md5=md5, first_md5=first_md5)


def _nette(archive: Archive, size: str) -> Dataset:
    return Dataset(summary=f"ten easy classes of ImageNet, {size}", archive=archive, split="page")


def _woof(archive: Archive, size: str) -> Dataset:
    return Dataset(summary=f"ten breeds of dog, {size}", archive=archive, split="v2")


_FULL, _320, _160 = "full size", "shorter side 320 px", "shorter side 160 px"

DATASETS: Mapping[str, Dataset] = MappingProxyType(
    {
        "cifar10": Dataset(
            summary="60,000 pictures of 32 x 32 px in ten classes",
            archive=Archive(
                address="https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
                size_bytes=170052171,
                md5="c32a1d4ab5d03f1284b67883e8d87530",
            ),
            split="shipped",
            kind="cifar10",
        ),
        "digits": Dataset(
            summary="1,797 handwritten digits of 8 x 8 px, bundled with scikit-learn",
            archive=None,
            split=MappingProxyType({"per_class": 50, "seed": 1234}),
            kind="digits",
        ),
        "imagenette": _nette(
            _fastai("imagenette2.tgz", 1557161267, md5="fe2fc210e6bb7c5664d602c3cd71e612"), _FULL
        ),
        "imagenette-160": _nette(
            _fastai("imagenette2-160.tgz", 99003388, md5="e793b78cc4c9e9a4ccc0c1155377a412"), _160
        ),
        "imagenette-320": _nette(
            _fastai("imagenette2-320.tgz", 341663724, md5="3df6f0d01a2c9592104656642f5e78a3"), _320
        ),
        "imagewoof": _woof(
            _fastai("imagewoof2.tgz", 1343715595, first_md5="2cc1c1e36e20cb6fd24ffb978edcb487"),
            _FULL,
        ),
        "imagewoof-160": _woof(
            _fastai("imagewoof2-160.tgz", 92612825, first_md5="3559b194123981a540b87132dbda412f"),
            _160,
        ),
        "imagewoof-320": _woof(
            _fastai("imagewoof2-320.tgz", 328387740, first_md5="7a1fd92672a559a85de76e4810a20c21"),
            _320,
        ),
    }
)
"""Sizes and checksums as the publishers give them, or as read off the archives."""


_SYNSETS: Mapping[str, str] = MappingProxyType(
    {
        "n01440764": "tench",
        "n02102040": "English springer",
        "n02979186": "cassette player",
        "n03000684": "chain saw",
        "n03028079": "church",
        "n03394916": "French horn",
        "n03417042": "garbage truck",
        "n03425413": "gas pump",
        "n03445777": "golf ball",
        "n03888257": "parachute",
        "n02086240": "Shih-Tzu",
        "n02087394": "Rhodesian ridgeback",
        "n02088364": "beagle",
        "n02089973": "English foxhound",
        "n02093754": "Border terrier",
        "n02096294": "Australian terrier",
        "n02099601": "golden retriever",
        "n02105641": "Old English sheepdog",
        "n02111889": "Samoyed",
        "n02115641": "dingo",
    }
)
"""The classes of Imagenette and Imagewoof, whose folders are named by WordNet's numbers."""


def class_words(name: str) -> str:
    """Words for a class that goes by a number of WordNet's.

    >>> class_words("n03000684"), class_words("7")
    ('chain saw', '7')
    """
    return _SYNSETS.get(name, name)
