"""What a model's outputs for its sample say, in words: how a reader sees that the trained model really works."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from benchmarks.zoo.built import Array, Arrays

Meaning: TypeAlias = Callable[[Arrays], str]
"""From outputs by tensor name to a line of text."""

EMOTIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
NSFW = ("drawing", "hentai", "neutral", "porn", "sexy")


def _only(outputs: Arrays) -> Array:
    (value,) = outputs.values()
    return value[0]


def _sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def best_class(*names: str) -> Meaning:
    """The likeliest class of a classifier with one output."""

    def describe(outputs: Arrays) -> str:
        scores = _only(outputs)
        return f"{names[int(scores.argmax())]} {scores.max():.2f}"

    return describe


def coco_detections(outputs: Arrays) -> str:
    """The two best of CenterNet's detections; rows are box, score, class (41: cup, 60: dining table)."""
    rows = outputs["tower_0/detections:0"][0]
    return ", ".join(f"COCO class {int(row[5])} {row[4]:.2f}" for row in rows[:2])


def ssd_detection(outputs: Arrays) -> str:
    """The best of the hand detector's detections (class 5 is a face)."""
    best = int(outputs["Identity_4:0"][0].argmax())
    box = (outputs["Identity_1:0"][0][best] * 512).round().astype(int).tolist()
    return f"class {int(outputs['Identity_2:0'][0][best])} {outputs['Identity_4:0'][0][best]:.2f} at {box}"


def best_face_box(outputs: Arrays) -> str:
    """The best of FaceBoxes' detections, in pixels of the 512 x 512 photograph."""
    best = int(outputs["scores:0"][0].argmax())
    box = (outputs["boxes:0"][0][best] * 512).round().astype(int).tolist()
    return f"face {outputs['scores:0'][0][best]:.3f} at {box}"


def anchors(outputs: Arrays) -> str:
    """How many of BlazeFace's anchors see a face, and how surely."""
    scores = _sigmoid(np.concatenate([value[0, :, 0] for value in outputs.values() if value.shape[-1] == 1]))
    return f"{(scores > 0.5).sum()} anchors see a face, the best {scores.max():.2f}"


def pose_points(outputs: Arrays) -> str:
    """Where MoveNet sees the nose, in pixels of the 512 x 512 photograph."""
    y, x, score = _only(outputs)[0, 0]
    return f"nose at y {512 * y:.0f}, x {512 * x:.0f} ({score:.2f})"


def heat_map(outputs: Arrays) -> str:
    """Where PoseNet's heat map for the nose peaks, in pixels of the 512 x 512 photograph."""
    nose = _sigmoid(outputs["MobilenetV1/heatmap_2/BiasAdd:0"][0, ..., 0])
    y, x = (int(i * 512 / 24) for i in np.unravel_index(nose.argmax(), nose.shape))
    return f"nose at y {y}, x {x} ({nose.max():.2f})"


def person_share(outputs: Arrays) -> str:
    """How much of the picture is the person."""
    mask = _only(outputs)[..., 0]
    return f"the person is {(mask > 0.5).mean():.0%} of the picture"


def face_mesh(outputs: Arrays) -> str:
    """How far the face's landmarks reach, in pixels of the 192 x 192 crop."""
    (mesh,) = (value.reshape(-1, 3) for value in outputs.values() if value.size == 1404)
    low, high = mesh.min(0), mesh.max(0)
    return f"468 landmarks, x {low[0]:.0f} to {high[0]:.0f}, y {low[1]:.0f} to {high[1]:.0f}"


def age_and_gender(outputs: Arrays) -> str:
    """The expected age and the likelihood of a man."""
    age = float(outputs["age_pred/Softmax:0"][0] @ np.arange(100))
    return f"age {age:.0f}, man {float(outputs['gender_pred/Sigmoid:0'][0, 0]):.2f}"


def proposals(outputs: Arrays) -> str:
    """The best face proposal, in pixels of the 512 x 512 photograph (the network's stride is 2, its window 12)."""
    faces = outputs["Identity_1:0"][0, ..., 1]
    y, x = ((2 * int(i) + 6) * 8 for i in np.unravel_index(faces.argmax(), faces.shape))
    return f"face {faces.max():.3f} at y {y}, x {x}"


def sharper(outputs: Arrays) -> str:
    """The size of the enlarged picture."""
    image = _only(outputs)
    return f"{image.shape[0]} x {image.shape[1]} pixels, mean {image.mean():.1f}"


def notes(outputs: Arrays) -> str:
    """How many frames of how many notes sound (of the two outputs with one column a key, the fuller is the notes)."""
    keys = max((value[0] for value in outputs.values() if value.shape[-1] == 88), key=lambda value: float(value.mean()))
    sounding = keys > 0.5
    return f"{sounding.sum()} frames with a note, {sounding.any(0).sum()} different notes"


def languages(outputs: Arrays) -> str:
    """The likeliest programming language of each text."""
    (scores,) = (value for value in outputs.values() if value.dtype == np.float32)
    (names,) = (value for value in outputs.values() if value.dtype != np.float32)
    best = scores.argmax(-1)
    return ", ".join(f"{bytes(names[i, j]).decode()} {scores[i, j]:.2f}" for i, j in enumerate(best))


def brain_share(outputs: Arrays) -> str:
    """How much of the volume is brain."""
    return f"{(_only(outputs) > 0.5).mean():.1%} of the volume is brain"


def splice_sites(outputs: Arrays) -> str:
    """How surely the acceptor site is seen where it was written; the network leaves 5,000 bases out at each end."""
    sites = _only(outputs)
    return f"acceptor {sites[6000 - (12000 - len(sites)) // 2, 1]:.2f}, elsewhere {np.median(sites[:, 1]):.0e}"


def next_character(outputs: Arrays) -> str:
    """The index of the likeliest next character."""
    scores = _only(outputs)
    return f"character {int(scores.argmax())} {scores.max():.2f}"


def spaces(outputs: Arrays) -> str:
    """After which characters a space belongs."""
    return f"spaces after characters {np.flatnonzero(_only(outputs) > 0.5).tolist()}"


def values(outputs: Arrays) -> str:
    """The range of each output: all that can be said for noise."""
    return ", ".join(f"{list(value.shape)} {value.min():.2f} to {value.max():.2f}" for value in outputs.values())
