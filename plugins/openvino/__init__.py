"""The engine `openvino`: clusters as OpenVINO models, run by its CPU plugin."""
