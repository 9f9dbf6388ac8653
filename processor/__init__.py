"""The processor: claims jobs, runs them, and tells the job store what became of them."""
