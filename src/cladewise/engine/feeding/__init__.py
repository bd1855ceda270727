"""Image files to batches: decoding, augmentation, cached features, and the order of an epoch."""
