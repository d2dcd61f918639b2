/** The account that the stand-ins say they belong to, in every ARN and message. Owns the number only. */
export const LOCAL_ACCOUNT = '000000000000';
