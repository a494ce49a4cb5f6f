"""When two runs of a vision model say the same: what its user reads off its outputs, within a tolerance.

What one run is sure of (a score above 0.5, or 0.3 for models that are never surer) the other must see too (above 0.6 of
that), at the same place: a score that moves a little over a threshold is no difference that a user notices. Where
neither sees anything, they agree.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.zoo.built import Array

Agree = Callable[[list[Array], list[Array]], bool]
"""Tells, of the outputs of the float32 model and of another, whether they say the same."""
Sees = Callable[[list[Array]], bool]
"""Tells of a model's outputs whether they show anything: a crop of nothing is an easy one."""
_SURE = 0.5
"""The score of what is there."""
_SEEN = 0.6
"""What may be there has this share of that score."""
_OVERLAP = 0.8


@dataclass(frozen=True)
class Decision:
    """What the user of a model reads off its outputs.

    Args:
        words: when two runs agree, in words.
        agree: the same as a function.
        sees: whether there is anything to agree on.
    """

    words: str
    agree: Agree
    sees: Sees = lambda outputs: True


def _sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-np.clip(x, -60, 60)))


def _same_class(want: list[Array], got: list[Array]) -> bool:
    return bool(want[0].argmax() == got[0].argmax())


def _age_and_gender(want: list[Array], got: list[Array]) -> bool:
    """faceres: a gender that is in doubt (0.4 to 0.6) may be either."""
    man = [float(out[0].reshape(-1)[0]) for out in (want, got)]
    age = [float(out[2].reshape(-1) @ np.arange(100)) for out in (want, got)]
    return ((man[0] > 0.5) == (man[1] > 0.5) or abs(man[0] - 0.5) < 0.1) and abs(age[0] - age[1]) <= 3


def _landmarks(output: int) -> Agree:
    """Landmarks (rows x, y, z) are on the average within 2 percent of the face's extent of where they were."""

    def agree(want: list[Array], got: list[Array]) -> bool:
        w, g = (out[output].reshape(-1, 3)[:, :2] for out in (want, got))
        return float(np.linalg.norm(w - g, axis=1).mean()) <= 0.02 * float(np.ptp(w, axis=0).max())

    return agree


def _points(scores: tuple[Array, Array], distances: Array, tolerance: float, sure_from: float) -> bool:
    """Tell whether points that one run is sure of are seen by the other, and within the tolerance."""
    sure = (scores[0] > sure_from) | (scores[1] > sure_from)
    seen = np.minimum(*scores) > _SEEN * sure_from
    return bool((seen & (distances <= tolerance))[sure].all())


def _key_points(want: list[Array], got: list[Array]) -> bool:
    """movenet: rows y, x, score, as shares of the picture's side."""
    w, g = (out[0].reshape(-1, 3) for out in (want, got))
    return _points((w[:, 2], g[:, 2]), np.linalg.norm(w[:, :2] - g[:, :2], axis=1), 0.03, _SURE)


def _peaks(output: int, scores: Callable[[Array], Array], sure: float) -> tuple[Agree, Sees]:
    """Where maps peak, within 3 percent of the side, or a cell if that is more."""

    def agree(want: list[Array], got: list[Array]) -> bool:
        w, g = (scores(out[output][0]) for out in (want, got))
        side, _, count = w.shape
        flat = [m.reshape(-1, count) for m in (w, g)]
        peaks = [np.stack(np.unravel_index(m.argmax(0), w.shape[:2]), -1) for m in flat]
        distances = np.linalg.norm(peaks[0] - peaks[1], axis=1)
        return _points((flat[0].max(0), flat[1].max(0)), distances, max(1.5, 0.03 * side), sure)

    return agree, lambda out: bool(scores(out[output]).max() > sure)


def _mask(want: list[Array], got: list[Array]) -> bool:
    """selfie_seg: a mask of less than 1 percent of the picture is none."""
    w, g = (out[0] > 0.5 for out in (want, got))
    return bool((w | g).mean() < 0.01 or (w & g).sum() >= 0.95 * (w | g).sum())


def _picture(want: list[Array], got: list[Array]) -> bool:
    """upscaler: peak signal to noise, the peak being 255."""
    error = float(((want[0].astype(np.float64) - got[0]) ** 2).mean())
    return error == 0 or 10 * np.log10(255**2 / error) >= 35


def _best(scores: tuple[Array, Array], boxes: tuple[Array, Array]) -> bool:
    """Tell whether both runs see a face or none, where one is sure; and the best box of float32 is where it was."""
    best = [int(each.argmax()) for each in scores]
    if scores[1][best[1]] > _SURE and scores[0][best[1]] <= _SEEN * _SURE:
        return False
    if scores[0][best[0]] <= _SURE:
        return True
    near = _overlap(boxes[0][best[0]], boxes[1][best[0], None])[0] >= _OVERLAP
    return bool(scores[1][best[0]] > _SEEN * _SURE and near)


def _anchors(out: list[Array]) -> tuple[Array, Array]:
    """blazeface: scores, and boxes relative to their anchors (centre and size in pixels), of both of its grids."""
    grids = [(512, 1), (384, 1), (512, 16), (384, 16)]
    scores, more, boxes, others = (next(o[0] for o in out if o.shape[1:] == grid) for grid in grids)
    raw = np.concatenate([boxes, others])
    corners = np.concatenate([raw[:, :2] - raw[:, 2:4] / 2, raw[:, :2] + raw[:, 2:4] / 2], 1)
    return _sigmoid(np.concatenate([scores, more])[:, 0]), corners


def _cells(out: list[Array]) -> tuple[Array, Array]:
    """mtcnn: scores, and boxes relative to their windows."""
    return out[1][..., 1].reshape(-1), out[0].reshape(-1, 4) + np.array([0, 0, 1, 1])


def _best_of(read: Callable[[list[Array]], tuple[Array, Array]]) -> tuple[Agree, Sees]:
    def agree(want: list[Array], got: list[Array]) -> bool:
        (scores, boxes), (others, those) = read(want), read(got)
        return _best((scores, others), (boxes, those))

    return agree, lambda out: bool(read(out)[0].max() > _SURE)


@dataclass(frozen=True)
class _Detections:
    boxes: Array
    scores: Array
    classes: Array

    def covers(self, others: _Detections, sure: float) -> bool:
        """Tell whether each sure one of the others has one here of its class that overlaps it."""
        seen = self.scores > _SEEN * sure
        return all(
            (seen & (self.classes == others.classes[i]) & (_overlap(others.boxes[i], self.boxes) >= _OVERLAP)).any()
            for i in np.flatnonzero(others.scores > sure)
        )


def _overlap(box: Array, others: Array) -> Array:
    """Return the intersection over union of a box with others; corners in rows."""
    low, high = np.maximum(box[:2], others[:, :2]), np.minimum(box[2:], others[:, 2:])
    shared = np.prod(np.maximum(high - low, 0), -1)
    areas = np.prod(box[2:] - box[:2]) + np.prod(others[:, 2:] - others[:, :2], -1)
    ratio: Array = shared / np.maximum(areas - shared, 1e-9)
    return ratio


def _faces(out: list[Array]) -> _Detections:
    """faceboxes."""
    return _Detections(out[1].reshape(-1, 4), out[0].reshape(-1), np.zeros(out[0].size))


def _hands(out: list[Array]) -> _Detections:
    """handtrack: the best classes' boxes after suppression."""
    return _Detections(out[3].reshape(-1, 4), out[1].reshape(-1), out[0].reshape(-1))


def _things(out: list[Array]) -> _Detections:
    """centernet: rows box, score, class."""
    rows = out[2][0]
    return _Detections(rows[:, :4], rows[:, 4], rows[:, 5])


def _detections(read: Callable[[list[Array]], _Detections], sure: float = _SURE) -> tuple[Agree, Sees]:
    def agree(want: list[Array], got: list[Array]) -> bool:
        w, g = read(want), read(got)
        return w.covers(g, sure) and g.covers(w, sure)

    return agree, lambda out: bool((read(out).scores > sure).any())


DECISIONS: dict[str, Decision] = {
    "blazeface_back": Decision("a face or none, its box (IoU 0.8)", *_best_of(_anchors)),
    "centernet_coco": Decision("boxes (IoU 0.8) and classes", *_detections(_things, 0.3)),
    "efficientpose": Decision("peaks of heat maps within 3 % of the side", *_peaks(0, lambda maps: maps, 0.3)),
    "faceboxes": Decision("boxes (IoU 0.8)", *_detections(_faces)),
    "facemesh": Decision("landmarks within 2 % of the face", _landmarks(0)),
    "facemesh_attention": Decision("landmarks within 2 % of the face", _landmarks(1)),
    "faceres": Decision("gender, and age within 3 years", _age_and_gender),
    "fer_minixception": Decision("top 1", _same_class),
    "handtrack_ssd": Decision("boxes (IoU 0.8) and classes", *_detections(_hands)),
    "movenet_lightning": Decision(
        "key points within 3 % of the side", _key_points, lambda out: bool(out[0][..., 2].max() > _SURE)
    ),
    "mtcnn_pnet": Decision("a face or none, its box (IoU 0.8)", *_best_of(_cells)),
    "nsfw_inception_v3": Decision("top 1", _same_class),
    "nsfw_mobilenet_v2": Decision("top 1", _same_class),
    "posenet_mnv1": Decision("peaks of heat maps within a cell of 25", *_peaks(1, _sigmoid, _SURE)),
    "selfie_seg": Decision("masks (IoU 0.95)", _mask, lambda out: bool((out[0] > 0.5).mean() >= 0.01)),
    "upscaler_rdn2x": Decision("35 dB", _picture),
}
"""What is read off each vision model of the zoo."""


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
