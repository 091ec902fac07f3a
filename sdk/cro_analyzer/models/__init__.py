"""What the API answers with: frozen values. Fields that a newer release adds are left out until they are known."""
