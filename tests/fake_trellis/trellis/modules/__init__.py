"""Where TRELLIS keeps its sparse tensors."""
