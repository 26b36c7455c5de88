"""The lens of the virtual camera: what a real camera would make of a picture held in front of it.

A picture (a phone's screen, a sheet of paper) is put into a 1280x720 scene over a dark shop counter: with
place, size, turn and tilt (a pinhole camera), defocus, shake, glare, exposure and sensor noise. The same
seed, picture, pose and frame number give the same frame, bit for bit, in any process.

It costs little where little changes: everything but the noise is kept as long as picture and pose stay the
same, so a phone held still costs about 2 ms a frame and one that moves about 20 ms (one core, x86-64).
Nothing can fail here but a pose out of its bounds (ValueError).
"""

from __future__ import annotations

import math
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

WIDTH_PX: Final = 1280
HEIGHT_PX: Final = 720
FOCAL_PX: Final = 1500.0  # about 46 degrees across: a usual fixed-focus camera module
NOISE_MARGIN_PX: Final = 128  # the noise is one field, larger than the frame, seen at a new offset each time
PICTURE_PX_MAX: Final = 4096  # larger pictures are reduced before anything is done with them

Grey = NDArray[np.uint8]
_Levels = NDArray[np.float32]


class Pose(msgspec.Struct, frozen=True, kw_only=True):
    """How a picture is held, and how the camera sees it at that moment. The defaults are an easy picture."""

    x: float = 0.5  # centre, as a share of the frame's width, -1..2
    y: float = 0.5  # centre, as a share of the frame's height, -1..2
    scale: float = 0.9  # 1.0: the upright picture just fits into the frame; 0.02..8
    rotate_deg: float = 0.0  # clockwise, in the plane of the frame
    tilt_x_deg: float = 0.0  # the top edge leans away; -75..75
    tilt_y_deg: float = 0.0  # the right edge leans away; -75..75
    blur_px: float = 0.0  # defocus, standard deviation; 0..20
    motion_px: float = 0.0  # shake during the exposure, length of the trace; 0..60
    glare: float = 0.0  # a lamp's reflection: 0 none, 1 burnt out in the middle
    exposure: float = 1.0  # gain of the whole frame; 0.05..4
    noise: float = 3.0  # sensor noise, standard deviation in grey levels; 0..60


_BOUNDS: Final[dict[str, tuple[float, float]]] = {
    "x": (-1, 2), "y": (-1, 2), "scale": (0.02, 8), "rotate_deg": (-3600, 3600), "tilt_x_deg": (-75, 75),
    "tilt_y_deg": (-75, 75), "blur_px": (0, 20), "motion_px": (0, 60), "glare": (0, 1), "exposure": (0.05, 4),
    "noise": (0, 60),
}  # fmt: skip


def check(pose: Pose) -> Pose:
    """`pose`, if every value is inside its bounds. Raises ValueError naming the value and its bounds."""
    for name, (low, high) in _BOUNDS.items():
        value = getattr(pose, name)
        if not low <= value <= high:  # also refuses NaN
            raise ValueError(f"pose: {name} is {value}, and must be from {low} to {high}")
    return pose


class Lens:
    """Frames from pictures. One lens for one camera; not for several threads at once."""

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed
        rng = np.random.default_rng([seed, 1])
        self._background = _counter(rng)
        self._shake_rad = float(rng.uniform(0, math.pi))
        self._lamp = (float(rng.uniform(0.3, 0.7)), float(rng.uniform(0.3, 0.7)))  # where a lamp is mirrored
        shape = (HEIGHT_PX + NOISE_MARGIN_PX, WIDTH_PX + NOISE_MARGIN_PX)
        # Fixed point, 1/16 of a grey level at sigma 1: scaling is then one multiplication of small integers.
        self._noise = np.clip(rng.standard_normal(shape, np.float32) * 16, -64, 64).astype(np.int16)
        self._scene: tuple[Image.Image | None, Pose, NDArray[np.int16]] | None = None
        self._scaled: tuple[float, NDArray[np.int16]] | None = None

    def frame(self, picture: Image.Image | None, pose: Pose, number: int) -> Grey:
        """The frame `number` as the camera sees it: uint8, shape (720, 1280). `None` shows the empty counter.

        The picture counts as unchanged while it is the same object: hand in a new one to change it.
        Raises ValueError for a pose out of its bounds.
        """
        scene = self._still(picture, check(pose))
        if pose.noise == 0:
            return scene.astype(np.uint8)
        if self._scaled is None or self._scaled[0] != pose.noise:
            self._scaled = (pose.noise, np.rint(self._noise * np.float32(pose.noise / 16)).astype(np.int16))
        rng = np.random.default_rng([self._seed, 2, number])
        top, left = (int(offset) for offset in rng.integers(0, NOISE_MARGIN_PX, 2))
        noisy = scene + self._scaled[1][top : top + HEIGHT_PX, left : left + WIDTH_PX]
        np.clip(noisy, 0, 255, out=noisy)
        return noisy.astype(np.uint8)

    def _still(self, picture: Image.Image | None, pose: Pose) -> NDArray[np.int16]:
        """The scene without its noise, kept while nothing changes."""
        quiet = msgspec.structs.replace(pose, noise=0.0)
        if self._scene is not None and self._scene[0] is picture and self._scene[1] == quiet:
            return self._scene[2]
        scene = self._background.copy()
        if picture is not None:
            self._hold_up(scene, picture, pose)
        if pose.exposure != 1.0:
            scene *= np.float32(pose.exposure)
        still = np.clip(scene, 0, 255).astype(np.int16)
        self._scene = (picture, quiet, still)
        return still

    def _hold_up(self, scene: _Levels, picture: Image.Image, pose: Pose) -> None:
        """Draw the picture into the scene as `pose` says."""
        flat = _flat(picture)
        corners = corners_px(flat.size, pose)
        flat = _reduced(flat, corners)
        spread = math.ceil(3 * pose.blur_px + pose.motion_px) + 2
        left = max(0, math.floor(corners[:, 0].min()) - spread)
        top = max(0, math.floor(corners[:, 1].min()) - spread)
        right = min(WIDTH_PX, math.ceil(corners[:, 0].max()) + spread)
        bottom = min(HEIGHT_PX, math.ceil(corners[:, 1].max()) + spread)
        if left >= right or top >= bottom:
            return
        size = (right - left, bottom - top)
        map_back = _homography(corners - np.array([left, top]), flat.size)
        shown = flat.transform(size, Image.Transform.PERSPECTIVE, map_back, Image.Resampling.BILINEAR, fillcolor=0)
        whole = Image.new("L", flat.size, 255)
        cover = whole.transform(size, Image.Transform.PERSPECTIVE, map_back, Image.Resampling.NEAREST, fillcolor=0)
        if pose.blur_px > 0:
            blur = ImageFilter.GaussianBlur(pose.blur_px)
            shown, cover = shown.filter(blur), cover.filter(blur)
        light = np.asarray(shown, np.float32)
        share = np.asarray(cover, np.float32) * np.float32(1 / 255)
        if pose.glare > 0:
            light = light + share * self._glare(corners - np.array([left, top]), size, pose.glare)
        if pose.motion_px >= 1:
            light, share = self._shaken(light, pose.motion_px), self._shaken(share, pose.motion_px)
        part = scene[top:bottom, left:right]
        part *= 1 - share
        part += light

    def _glare(self, corners: NDArray[np.float64], size: tuple[int, int], strength: float) -> _Levels:
        """A soft bright spot on the picture's surface, brightest where the lamp is mirrored."""
        span = corners.max(axis=0) - corners.min(axis=0)
        centre = corners.min(axis=0) + span * np.array(self._lamp)
        reach = max(8.0, float(span.min()) * 0.22)
        across = np.exp(-(((np.arange(size[0]) - centre[0]) / (1.6 * reach)) ** 2) / 2).astype(np.float32)
        down = np.exp(-(((np.arange(size[1]) - centre[1]) / reach) ** 2) / 2).astype(np.float32)
        spot: _Levels = np.outer(down, across) * np.float32(300 * strength)
        return spot

    def _shaken(self, light: _Levels, length_px: float) -> _Levels:
        """The mean along the trace of the shake."""
        steps = max(2, math.ceil(length_px))
        total = np.zeros_like(light)
        for step in range(steps):
            along = (step / (steps - 1) - 0.5) * length_px
            dx, dy = round(along * math.cos(self._shake_rad)), round(along * math.sin(self._shake_rad))
            height, width = light.shape
            if abs(dy) >= height or abs(dx) >= width:
                continue
            total[max(0, dy) : height + min(0, dy), max(0, dx) : width + min(0, dx)] += light[
                max(0, -dy) : height + min(0, -dy), max(0, -dx) : width + min(0, -dx)
            ]
        total *= np.float32(1 / steps)
        return total


def corners_px(size: tuple[int, int], pose: Pose) -> NDArray[np.float64]:
    """Where the picture's corners lie in the frame: (x, y) of top left, top right, bottom right, bottom left."""
    fit = min(WIDTH_PX / size[0], HEIGHT_PX / size[1]) * pose.scale
    half = np.array(size) * fit / 2
    points = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]], dtype=np.float64) * [half[0], half[1], 1]
    lean, swing, turn = (math.radians(angle) for angle in (pose.tilt_x_deg, pose.tilt_y_deg, pose.rotate_deg))
    about_z = [[math.cos(turn), -math.sin(turn), 0], [math.sin(turn), math.cos(turn), 0], [0, 0, 1]]
    about_x = [[1, 0, 0], [0, math.cos(lean), math.sin(lean)], [0, -math.sin(lean), math.cos(lean)]]
    about_y = [[math.cos(swing), 0, -math.sin(swing)], [0, 1, 0], [math.sin(swing), 0, math.cos(swing)]]
    turned = points @ np.array(about_z).T @ np.array(about_x).T @ np.array(about_y).T
    depth = np.maximum(1 + turned[:, 2] / FOCAL_PX, 0.2)  # nothing comes nearer than a fifth of the distance
    centre = np.array([pose.x * WIDTH_PX, pose.y * HEIGHT_PX])
    placed: NDArray[np.float64] = turned[:, :2] / depth[:, None] + centre
    return placed


def _flat(picture: Image.Image) -> Image.Image:
    """The picture in grey; where it is transparent, white (paper)."""
    if max(picture.size) > PICTURE_PX_MAX:
        picture = picture.reduce(math.ceil(max(picture.size) / PICTURE_PX_MAX))
    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        over = picture.convert("RGBA")
        paper = Image.new("RGBA", over.size, "white")
        paper.alpha_composite(over)
        picture = paper
    return picture if picture.mode == "L" else picture.convert("L")


def _reduced(flat: Image.Image, corners: NDArray[np.float64]) -> Image.Image:
    """The picture at no more than about twice the resolution it is seen at: a lens averages, it does not skip."""
    seen_px = max(float(np.linalg.norm(corners[i] - corners[(i + 1) % 4])) / flat.size[i % 2] for i in range(4))
    factor = math.floor(1 / (seen_px * 1.3)) if seen_px > 0 else 1
    return flat.reduce(min(factor, max(1, min(flat.size) // 2))) if factor > 1 else flat


def _homography(corners: NDArray[np.float64], size: tuple[int, int]) -> tuple[float, ...]:
    """The eight numbers with which Pillow maps a pixel of the frame back to one of the picture."""
    width, height = size
    rows, goal = [], []
    for (x, y), (u, v) in zip(corners, [(0, 0), (width, 0), (width, height), (0, height)], strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        goal += [u, v]
    return tuple(float(value) for value in np.linalg.lstsq(np.array(rows), np.array(goal), rcond=None)[0])


def _counter(rng: np.random.Generator) -> _Levels:
    """A dark shop counter under one lamp, out of focus, with a hand's shadow on it."""
    small = Image.new("L", (WIDTH_PX // 8, HEIGHT_PX // 8), 0)
    draw = ImageDraw.Draw(small)
    width, height = small.size
    for row in range(height):  # the lamp is behind: lighter at the top
        draw.line([(0, row), (width, row)], fill=int(62 - 30 * row / height))
    for _ in range(24):  # grain of the wood
        row, level = int(rng.integers(0, height)), int(rng.integers(26, 74))
        draw.line([(0, row), (width, row + int(rng.integers(-4, 5)))], fill=level)
    for _ in range(6):  # what lies about
        x, y = int(rng.integers(0, width)), int(rng.integers(0, height))
        w, h = int(rng.integers(8, 40)), int(rng.integers(6, 24))
        draw.ellipse([x - w, y - h, x + w, y + h], fill=int(rng.integers(18, 82)))
    hand = int(rng.integers(width // 3, 2 * width // 3))
    draw.ellipse([hand - 26, height - 22, hand + 30, height + 30], fill=104)
    for finger in range(4):
        draw.ellipse([hand - 22 + 12 * finger, height - 38, hand - 12 + 12 * finger, height], fill=98)
    soft = small.filter(ImageFilter.GaussianBlur(2.2)).resize((WIDTH_PX, HEIGHT_PX), Image.Resampling.BICUBIC)
    return np.asarray(soft, np.float32)
