"""Parts that another package brings to keras-sweep: a sampler and a source."""
