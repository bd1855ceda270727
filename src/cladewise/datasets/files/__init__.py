"""Files of images: walking folders, decoding, and telling images from other files."""
