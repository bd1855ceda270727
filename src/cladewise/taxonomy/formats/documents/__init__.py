"""JSON and YAML: nested trees, graphs, flat records and COCO categories."""
