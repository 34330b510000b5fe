"""What is read off a trained model: losses and errors, responses to shifted and resized images."""
