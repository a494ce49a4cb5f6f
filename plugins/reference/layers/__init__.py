"""What each layer type computes, by family; a family is a table kind -> function(layer, inputs) -> outputs."""
