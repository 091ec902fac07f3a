"""How boxes lie to each other."""

from contracts.geometry import Box


def area(box: Box) -> float:
    """Return the area in square CSS pixels; 0 for a box turned inside out."""
    return max(box.width, 0) * max(box.height, 0)


def overlap(one: Box, other: Box) -> float:
    """Return the area that two boxes share."""
    width = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
    height = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
    return max(width, 0) * max(height, 0)


def contains(outer: Box, inner: Box, share: float = 0.9) -> bool:
    """Say whether at least `share` of `inner` lies in `outer`."""
    size = area(inner)
    return size > 0 and overlap(outer, inner) >= share * size


def centre_in(outer: Box, inner: Box) -> bool:
    """Say whether the middle of `inner` lies in `outer`."""
    x, y = inner.x + inner.width / 2, inner.y + inner.height / 2
    return outer.x <= x < outer.x + outer.width and outer.y <= y < outer.y + outer.height


def gap_to_circle(x: float, y: float, box: Box) -> float:
    """Return the distance from a point to the nearest edge of a box; 0 inside."""
    dx = max(box.x - x, 0, x - (box.x + box.width))
    dy = max(box.y - y, 0, y - (box.y + box.height))
    return float((dx * dx + dy * dy) ** 0.5)
