"""The services around the pipeline, natively or in containers, behind one door."""
