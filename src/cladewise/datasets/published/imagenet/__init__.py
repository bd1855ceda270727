"""ImageNet's thousand classes in trees from WordNet, and tieredImageNet-H."""
