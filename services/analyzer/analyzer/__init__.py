"""Facts and pixels to findings: rules first, Claude second."""
