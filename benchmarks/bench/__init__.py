"""`make bench`: 22 trained models and five Keras nets by tfgraft, by TensorFlow and by whole-graph conversion."""
