"""Where artifacts live, and the signed URLs by which other services reach them."""
