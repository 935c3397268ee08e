"""Quantised ONNX models -> the float model of their integers."""
