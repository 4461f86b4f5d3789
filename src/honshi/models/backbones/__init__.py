"""Pretrained networks that see pictures for a head of our own."""
