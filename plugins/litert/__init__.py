"""The engine `litert`: clusters as LiteRT (TensorFlow Lite) models, run by its interpreter and XNNPACK."""
