"""One thread for every test: on tiny models, waiting for a second one is all it would do."""

import torch

torch.set_num_threads(1)
