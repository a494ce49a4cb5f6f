"""When two runs of a vision model say the same: what its user reads off its outputs, within a tolerance.

A crop on which the float32 model itself sees nothing counts too: the other must see nothing either.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.zoo.built import Array

Agree = Callable[[list[Array], list[Array]], bool]
_SURE = 0.3
"""Scores from which on a detection or key point is one."""
_UNSURE = 0.1
"""How far a score may be from the threshold for both answers to be right."""


def same_class(output: int = 0) -> Agree:
    """The likeliest class is the same, or as likely as the other one within 2 percent."""

    def agree(want: list[Array], got: list[Array]) -> bool:
        w, g = want[output].reshape(-1), got[output].reshape(-1)
        return bool(w.argmax() == g.argmax() or w.max() - w[g.argmax()] < 0.02)

    return agree


def age_and_gender(want: list[Array], got: list[Array]) -> bool:
    """faceres: the same gender, unless it is in doubt, and an expected age within 3 years."""
    man = [float(out[0].reshape(-1)[0]) for out in (want, got)]
    age = [float(out[2].reshape(-1) @ np.arange(100)) for out in (want, got)]
    return ((man[0] > 0.5) == (man[1] > 0.5) or abs(man[0] - 0.5) < _UNSURE) and abs(age[0] - age[1]) <= 3


def mean_distance(output: int, width: int, tolerance: float) -> Agree:
    """Landmarks are on the average within `tolerance` of the face's extent of where they were."""

    def agree(want: list[Array], got: list[Array]) -> bool:
        w, g = (out[output].reshape(-1, width)[:, :2] for out in (want, got))
        extent = float(np.ptp(w, axis=0).max())
        return float(np.linalg.norm(w - g, axis=1).mean()) <= tolerance * max(extent, 1e-6)

    return agree


def key_points(want: list[Array], got: list[Array]) -> bool:
    """movenet: every point that is seen (rows y, x, score) is within 4 percent of the picture's side."""
    w, g = (out[0].reshape(-1, 3) for out in (want, got))
    seen = w[:, 2] > _SURE + _UNSURE
    near = np.linalg.norm(w[:, :2] - g[:, :2], axis=1) <= 0.04
    return bool(
        (near & (g[:, 2] > _SURE - _UNSURE))[seen].all() and (g[:, 2] < _SURE + 2 * _UNSURE)[w[:, 2] < _SURE].all()
    )


def heat_maps(output: int, logits: bool) -> Agree:
    """Every map that peaks above the threshold peaks within 1.5 cells, or 4 percent of the side, of where it did."""

    def agree(want: list[Array], got: list[Array]) -> bool:
        w, g = (out[output][0].astype(np.float64) for out in (want, got))
        if logits:
            w, g = 1 / (1 + np.exp(-w)), 1 / (1 + np.exp(-g))
        tolerance = max(1.5, 0.04 * w.shape[0])
        for k in range(w.shape[-1]):
            if w[..., k].max() > _SURE + _UNSURE:
                at = [np.array(np.unravel_index(m[..., k].argmax(), m.shape[:2])) for m in (w, g)]
                other = w[..., k][tuple(at[1])]  # a second peak that is as high will do
                if np.linalg.norm(at[0] - at[1]) > tolerance and other < w[..., k].max() - _UNSURE:
                    return False
        return True

    return agree


def mask(output: int = 0) -> Agree:
    """The masks overlap by 90 percent of their union, or differ in less than 1 percent of the picture."""

    def agree(want: list[Array], got: list[Array]) -> bool:
        w, g = (out[output] > 0.5 for out in (want, got))
        return bool((w ^ g).mean() < 0.01 or (w & g).sum() >= 0.9 * (w | g).sum())

    return agree


def picture(want: list[Array], got: list[Array]) -> bool:
    """Super-resolution: at least 35 dB of peak signal to noise, of 255."""
    error = float(((want[0].astype(np.float64) - got[0]) ** 2).mean())
    return error == 0 or 10 * np.log10(255**2 / error) >= 35


def face_anchors(want: list[Array], got: list[Array]) -> bool:
    """blazeface: a face is seen or not (unless it is in doubt), by an anchor that saw it about as well."""
    w, g = (np.concatenate([1 / (1 + np.exp(-o.reshape(-1))) for o in out if o.shape[-1] == 1]) for out in (want, got))
    if w.max() < 0.5 + _UNSURE:
        return bool(g.max() < 0.5 + 2 * _UNSURE)
    return bool(g.max() > 0.5 - _UNSURE and w[g.argmax()] >= w.max() - _UNSURE)


def best_cells(output: int = 1) -> Agree:
    """mtcnn: a face is proposed or not (unless it is in doubt), where the proposal was about as good before."""

    def agree(want: list[Array], got: list[Array]) -> bool:
        w, g = (out[output][..., 1].reshape(-1) for out in (want, got))
        if w.max() < 0.6 + _UNSURE:
            return bool(g.max() < 0.6 + 2 * _UNSURE)
        return bool(g.max() > 0.6 - _UNSURE and w[g.argmax()] >= w.max() - _UNSURE)

    return agree


def boxes(box: int, score: int, label: int | None = None) -> Agree:
    """Detectors: each sure detection has one of the same class that overlaps it by half, and the other way round."""

    def agree(want: list[Array], got: list[Array]) -> bool:
        return _covered(want, got) and _covered(got, want)

    def _covered(these: list[Array], those: list[Array]) -> bool:
        scores = these[score].reshape(-1)
        sure = np.flatnonzero(scores > _SURE + 2 * _UNSURE)
        for i in sure:
            a, others = these[box].reshape(-1, 4)[i], those[box].reshape(-1, 4)[: those[score].size]
            fits = (_overlap(a, others) >= 0.5) & (those[score].reshape(-1)[: len(others)] > _SURE - _UNSURE)
            if label is not None:
                fits &= those[label].reshape(-1)[: len(others)] == these[label].reshape(-1)[i]
            if not fits.any():
                return False
        return True

    return agree


def rows(want: list[Array], got: list[Array]) -> bool:
    """centernet: the same as `boxes`, of rows box, score, class."""
    split = [[out[2][0][:, :4], out[2][0][:, 4], out[2][0][:, 5]] for out in (want, got)]
    return boxes(0, 1, 2)(*split)


def _overlap(box: Array, others: Array) -> Any:
    low, high = np.maximum(box[:2], others[:, :2]), np.minimum(box[2:], others[:, 2:])
    shared = np.prod(np.maximum(high - low, 0), -1)
    areas = np.prod(box[2:] - box[:2]) + np.prod(others[:, 2:] - others[:, :2], -1)
    return shared / np.maximum(areas - shared, 1e-9)


DECISIONS: dict[str, tuple[Agree, str]] = {
    "blazeface_back": (face_anchors, "a face is seen, and where"),
    "centernet_coco": (rows, "the same boxes and classes"),
    "efficientpose": (heat_maps(0, False), "where heat maps peak"),
    "faceboxes": (boxes(1, 0), "the same boxes"),
    "facemesh": (mean_distance(0, 3, 0.02), "landmarks within 2 % of the face"),
    "facemesh_attention": (mean_distance(1, 3, 0.02), "landmarks within 2 % of the face"),
    "faceres": (age_and_gender, "gender, and age within 3 years"),
    "fer_minixception": (same_class(), "top 1"),
    "handtrack_ssd": (boxes(3, 1, 0), "the same boxes and classes"),
    "movenet_lightning": (key_points, "key points within 4 % of the picture"),
    "mtcnn_pnet": (best_cells(), "a face is proposed, and where"),
    "nsfw_inception_v3": (same_class(), "top 1"),
    "nsfw_mobilenet_v2": (same_class(), "top 1"),
    "posenet_mnv1": (heat_maps(1, True), "where heat maps peak"),
    "selfie_seg": (mask(), "masks overlap by 90 %"),
    "upscaler_rdn2x": (picture, "35 dB"),
}
"""When runs agree, by model, and that in words."""


@dataclass(frozen=True)
class Share:
    """The share of feeds on which a model agrees with the original: a metric for `tfgraft.Budget`."""

    feeds: Sequence[Any] = field(repr=False)
    agree: Agree

    def against(self, original: Callable[[Any], list[Array]]) -> Callable[[Callable[[Any], list[Array]]], float]:
        """See `tfgraft.precision.budget.Comparing`."""
        wanted = [original(feed) for feed in self.feeds]
        return lambda predict: float(
            np.mean([self.agree(want, predict(feed)) for want, feed in zip(wanted, self.feeds, strict=True)])
        )
