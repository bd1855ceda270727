"""Answers of a trained network: scores, fitted rules, predictions, evaluations, image vectors."""
