"""The process in which a stranger's picture is decoded: picture on stdin, one line of JSON and a JPEG on stdout.

Run as `python -I -m gateway.uploads.decoder FORMAT`. It takes its own rights away before it reads a byte. What the
picture carried besides its pixels (place, device, comments, profiles) is left behind.
"""

import io
import json
import resource
import sys
import warnings

from PIL import Image, ImageOps

from gateway.uploads.bounds import CPU_S, MAX_PIXELS, MAX_RESULT_BYTES, MAX_SIDE, MEMORY_BYTES

_QUALITY = 90


def _give_up_rights() -> None:
    limits = {
        resource.RLIMIT_AS: MEMORY_BYTES,
        resource.RLIMIT_CPU: CPU_S,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
    }
    for limit, value in limits.items():
        resource.setrlimit(limit, (value, value))


def remade(data: bytes, kind: str) -> tuple[dict[str, object], bytes]:
    """Return what became of a picture: `width` and `height` with the JPEG, or `rejected` with a text and nothing."""
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    try:
        with Image.open(io.BytesIO(data), formats=[kind]) as found:
            if found.width * found.height > MAX_PIXELS or max(found.size) > MAX_SIDE:
                text = f"it has {found.width:,} × {found.height:,} pixels: at most {MAX_PIXELS:,}, {MAX_SIDE:,} a side"
                return {"rejected": text}, b""
            if getattr(found, "n_frames", 1) > 1:
                return {"rejected": "it moves: send one frame"}, b""
            found.load()
            upright = ImageOps.exif_transpose(found)
            flat = _flattened(upright)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        return {"rejected": f"it is damaged or no {kind}", "reason": repr(error)[:200]}, b""
    made = io.BytesIO()
    flat.save(made, "JPEG", quality=_QUALITY, subsampling=0)
    if made.tell() > MAX_RESULT_BYTES:
        return {"rejected": "it is too large when it is made anew"}, b""
    return {"width": flat.width, "height": flat.height}, made.getvalue()


def _flattened(image: Image.Image) -> Image.Image:
    """Put it on white where it is transparent."""
    if image.mode not in {"RGBA", "LA", "PA"} and "transparency" not in image.info:
        return image.convert("RGB")
    seen = image.convert("RGBA")
    white = Image.new("RGB", seen.size, "white")
    white.paste(seen, mask=seen.getchannel("A"))
    return white


def main() -> None:
    """Decode what is on stdin."""
    _give_up_rights()
    told, made = remade(sys.stdin.buffer.read(), sys.argv[1])
    sys.stdout.buffer.write(json.dumps(told).encode() + b"\n" + made)


if __name__ == "__main__":
    main()
