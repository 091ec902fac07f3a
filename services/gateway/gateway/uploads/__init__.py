"""Pictures that customers send: read with bounds, decoded apart from everything, and made anew."""
