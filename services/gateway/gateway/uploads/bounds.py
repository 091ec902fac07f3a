"""What a picture may be, and what looking into it may cost."""

MAX_PIXELS = 40_000_000
"""A page of 16,000 px in a window of 1,440 px has 23 million."""

MAX_SIDE = 32_000
MAX_RESULT_BYTES = 32 * 1024 * 1024

MEMORY_BYTES = 1024 * 1024 * 1024
"""Address space of the decoding process: four copies of the largest picture, and the interpreter."""

CPU_S = 20
WALL_S = 30

MAGIC = {"PNG": (0, b"\x89PNG\r\n\x1a\n"), "JPEG": (0, b"\xff\xd8\xff"), "WEBP": (8, b"WEBP")}
"""Format → where in the file its mark is, and the mark."""
