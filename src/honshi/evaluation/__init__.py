"""How good a model is: averages over images, never over batches, and how sure they are."""
