"""Label trees of labelling tools: Label Studio, Datumaro with Geti and OpenVINO Training Extensions, CVAT."""
