"""Images and labels in the exports of labelling tools, and in the annotation files of published datasets."""
