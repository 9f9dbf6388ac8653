"""What keeps the job store and the store of archives in order while processors come and go."""
