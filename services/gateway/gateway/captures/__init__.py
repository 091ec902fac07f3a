"""Captures: a page as pictures and documents, without a judgement."""
