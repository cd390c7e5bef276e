"""What is wanted, less what is stored, goes to an executor and then into the store."""
