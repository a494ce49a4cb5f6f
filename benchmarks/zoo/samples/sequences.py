"""Texts, a recording, a DNA sequence and a brain scan, in the forms that their models were trained on."""

from __future__ import annotations

import argparse
import gzip
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.zoo.built import Array, Arrays, Tensor
from benchmarks.zoo.packages import Packages

KOREAN = "아버지가방에들어가신다그리고텔레비전을켰다"
# What textgenrnn itself writes after "What is the ", taking the likeliest character each time.
PROMPT = "What is the best state of the state of the state of the "
NIFTI_DTYPES = {2: "<u1", 4: "<i2", 8: "<i4", 16: "<f4", 256: "<i1", 512: "<u2"}


@dataclass(frozen=True)
class Music:
    """Two seconds of the recording that librosa 0.7 ships, mono, 22,050 Hz: float32 (1, 43844, 1)."""

    def __call__(self, packages: Packages, inputs: Sequence[Tensor]) -> Arrays:
        """Return the feed of the model's only input."""
        import scipy.signal  # of requirements.txt: the table of models is read without
        import soundfile

        (path,) = packages.folder("librosa").glob("*/librosa/util/example_data/*.ogg")
        sound, rate = soundfile.read(path)
        mono = sound.mean(-1) if sound.ndim > 1 else sound
        excerpt = scipy.signal.resample_poly(mono[rate * 10 : rate * 13], 22050, rate)[:43844]
        return {inputs[0].name: excerpt.astype(np.float32)[None, :, None]}


@dataclass(frozen=True)
class SourceCode:
    """A batch of four texts (Python, JavaScript, JSON, Markdown): strings (4,)."""

    def __call__(self, packages: Packages, inputs: Sequence[Tensor]) -> Arrays:
        """Return the feed of the model's only input."""
        folder = packages.folder("default-model") / "package"
        sources = (
            (Path(argparse.__file__), 4000),
            (folder / "dist/cjs/models/default-model/src/index.js", 4000),
            (folder / "package.json", 3000),
            (folder / "README.md", 3000),
        )
        texts = [path.read_text(encoding="utf-8")[:length].encode() for path, length in sources]
        return {inputs[0].name: np.array(texts, dtype=object)}


@dataclass(frozen=True)
class Prompt:
    """The last 40 characters of a text as textgenrnn's indices: float32 (1, 40), padded on the left."""

    text: str = PROMPT

    def __call__(self, packages: Packages, inputs: Sequence[Tensor]) -> Arrays:
        """Return the feed of the model's only input."""
        path = packages.folder("textgenrnn") / "textgenrnn-2.0.0/textgenrnn/textgenrnn_vocab.json"
        index = json.loads(path.read_text(encoding="utf-8"))
        tail = [index[character] for character in self.text][-40:]
        return {inputs[0].name: np.array([[0] * (40 - len(tail)) + tail], np.float32)}


@dataclass(frozen=True)
class KoreanText:
    """A Korean sentence without spaces as quickspacer's indices: int32 (1, length)."""

    text: str = KOREAN

    def __call__(self, packages: Packages, inputs: Sequence[Tensor]) -> Arrays:
        """Return the feed of the model's only input."""
        path = packages.folder("quickspacer") / "quickspacer/resources/vocab.txt"
        index = {character: i for i, character in enumerate(path.read_text(encoding="utf-8").split("\n"))}
        return {inputs[0].name: np.array([[index.get(character, 1) for character in self.text]], np.int32)}


@dataclass(frozen=True)
class SpliceSites:
    """A random sequence of 12,000 bases with one exon's consensus splice sites written in: one-hot (1, 12000, 4).

    Made, not read: no package used here ships real DNA.
    """

    acceptor: int = 6000
    donor: int = 6140

    def __call__(self, packages: Packages, inputs: Sequence[Tensor]) -> Arrays:
        """Return the feed of the model's only input."""
        bases = np.random.RandomState(0).choice(4, 12000)
        for text, start in (("CTTTCTTTTCTTTCCTTTTTCTAG", self.acceptor - 24), ("CAGGTAAGTATT", self.donor - 3)):
            bases[start : start + len(text)] = ["ACGT".index(base) for base in text]
        return {inputs[0].name: np.eye(4, dtype=np.float32)[bases][None]}


@dataclass(frozen=True)
class BrainScan:
    """The MNI152 template that nilearn ships, a T1 scan of a head: float32 (1, 128, 128, 128, 1), 0 to 1."""

    def __call__(self, packages: Packages, inputs: Sequence[Tensor]) -> Arrays:
        """Return the feed of the image and of the switch between training and inference."""
        from skimage.transform import resize  # of requirements.txt: the table of models is read without

        data = packages.folder("nilearn") / "nilearn/datasets/data"
        scan = resize(
            read_nifti(data / "mni_icbm152_t1_tal_nlin_sym_09a_converted.nii.gz"),
            (128, 128, 128),
            mode="constant",
            anti_aliasing=True,
        )
        return {"img:0": (scan / scan.max()).astype(np.float32)[None, ..., None], "training:0": np.array(False)}


def read_nifti(path: Path) -> Array:
    """Read a little-endian, single-file NIfTI-1 volume as float32; offsets are those of its 348-byte header."""
    data = gzip.decompress(path.read_bytes())
    shape = np.frombuffer(data, "<i2", 3, 42)
    dtype = NIFTI_DTYPES[int(np.frombuffer(data, "<i2", 1, 70)[0])]
    offset = int(np.frombuffer(data, "<f4", 1, 108)[0])
    values = np.frombuffer(data, dtype, int(np.prod(shape.astype(int))), offset)
    return values.reshape(shape, order="F").astype(np.float32)
